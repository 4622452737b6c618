"""Papers for people: the content of a sheet put into words, and set as a PDF."""
