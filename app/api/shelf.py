"""Spaces at hand: the zoo, and the registered ones that were asked for lately. Finding one here touches no I/O."""

import threading
from collections import OrderedDict

from app.space import SearchSpace
from app.space.zoo import ZOO


class SpaceShelf:
    """Zoo spaces for ever, registered ones while there is room. Safe to share between threads."""

    def __init__(self, capacity: int = 256) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._registered: OrderedDict[tuple[str, int], SearchSpace] = OrderedDict()

    def find(self, name: str, version: int | None) -> SearchSpace | None:
        """A space that is at hand. Of a registered space only a version is: which one is the latest may change."""
        if name in ZOO:
            space = ZOO[name]
            return space if version in (None, space.version) else None
        if version is None:
            return None
        with self._lock:
            space = self._registered.get((name, version))
            if space is not None:
                self._registered.move_to_end((name, version))
            return space

    def put(self, space: SearchSpace) -> SearchSpace:
        """Keep a registered space at hand; the one that was not asked for longest makes room."""
        with self._lock:
            self._registered[space.name, space.version] = space
            self._registered.move_to_end((space.name, space.version))
            while len(self._registered) > self.capacity:
                self._registered.popitem(last=False)
        return space
