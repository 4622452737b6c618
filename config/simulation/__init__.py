"""The platform, simulated: people and companies, and a year in which the product itself deals with them.

`world` and what it imports is pure: it knows no Django and no database, only a seed. `driver` lives through the
days with the product's own services.
"""
