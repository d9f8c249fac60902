"""Spaces at hand: the zoo, and the registered ones that were asked for lately. Finding one here touches no I/O."""

import threading
from collections import OrderedDict

from app.space import SearchSpace
from app.space.zoo import ZOO


class SpaceShelf:
    """Zoo spaces for ever, registered ones while there is room, each for the viewer who was shown it. Safe to share
    between threads."""

    def __init__(self, capacity: int = 256) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._registered: OrderedDict[tuple[str, str, int], SearchSpace] = OrderedDict()

    def find(self, name: str, version: int | None, *, viewer: str) -> SearchSpace | None:
        """A space that is at hand. Of a registered space only a version is: which one is the latest may change."""
        if name in ZOO:
            space = ZOO[name]
            return space if version in (None, space.version) else None
        if version is None:
            return None
        with self._lock:
            space = self._registered.get((viewer, name, version))
            if space is not None:
                self._registered.move_to_end((viewer, name, version))
            return space

    def put(self, space: SearchSpace, *, viewer: str) -> SearchSpace:
        """Keep a registered space at hand; the one that was not asked for longest makes room."""
        with self._lock:
            key = viewer, space.name, space.version
            self._registered[key] = space
            self._registered.move_to_end(key)
            while len(self._registered) > self.capacity:
                self._registered.popitem(last=False)
        return space
