from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Pages by a cursor: as fast on the last page as on the first, and no row is skipped while new ones come."""

    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 1000
