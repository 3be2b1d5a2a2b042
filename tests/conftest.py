"""Fixtures that all tests share."""

from tests.support.databases import databases, settings

__all__ = ["databases", "settings"]
