"""The table of contents of the API: one file a noun, at most ten lines a route."""

from starlette.convertors import register_url_convertor

from api.routes.names import NameConvertor

register_url_convertor("name", NameConvertor())
