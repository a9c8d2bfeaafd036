"""Lists in pages, as Nova, Cinder and Glance cut them."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

from .wire import Body, Call, Refused, Reply


def page(call: Call, name: str, items: list[Body], most: int, show: Callable[[list[Body]], list[Body]] = list) -> Reply:
    """One page after the marker, as show() gives it; with a link to the next one when the page is full."""
    size = min(int(call.query.get('limit') or most), most)
    marker, start = call.query.get('marker'), 0
    if marker:
        place = [number for number, item in enumerate(items) if item['id'] == marker]
        if not place:
            raise Refused(400, 'badRequest', f'marker [{marker}] not found')
        start = place[0] + 1
    shown = show(items[start : start + size])
    if len(shown) < size or not shown:
        return Reply({name: shown})
    query = urllib.parse.urlencode({**call.query, 'limit': size, 'marker': shown[-1]['id']})
    link = f'{call.path}?{query}'
    if call.service == 'image':
        return Reply({name: shown, 'next': link, 'first': call.path, 'schema': '/v2/schemas/images'})
    return Reply({name: shown, f'{name}_links': [{'rel': 'next', 'href': call.headers['base'] + link}]})
