"""OpenTab on one machine: everything private to this folder, kept in `.local/`, started by `make run`.

Production has none of this: there, DATABASE_URL, REDIS_URL and the secrets come from the environment.
"""
