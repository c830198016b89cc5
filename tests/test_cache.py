from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wsiweb.cache import ByteCache

KEYS = st.integers(0, 8)
BUDGET = 100


class CacheMachine(RuleBasedStateMachine):
    """Any sequence of acts leaves counted size equal to held size, within the budget."""

    def __init__(self):
        super().__init__()
        self.cache = ByteCache(BUDGET, len)
        self.order: dict[int, bytes] = {}  # a model: least recently used first

    @rule(key=KEYS, value=st.binary(max_size=BUDGET + 20))
    def put(self, key, value):
        self.cache.put(key, value)
        self.order.pop(key, None)
        if len(value) <= BUDGET:
            self.order[key] = value
        while sum(map(len, self.order.values())) > BUDGET:
            del self.order[next(iter(self.order))]

    @rule(key=KEYS)
    def get(self, key):
        assert self.cache.get(key) == self.order.get(key)
        if key in self.order:
            self.order[key] = self.order.pop(key)

    @rule(key=KEYS)
    def discard(self, key):
        self.cache.discard(key)
        self.order.pop(key, None)

    @rule(parity=st.integers(0, 1))
    def discard_where(self, parity):
        self.cache.discard_where(lambda key: key % 2 == parity)
        self.order = {key: value for key, value in self.order.items() if key % 2 != parity}

    @rule()
    def clear(self):
        self.cache.clear()
        self.order.clear()

    @invariant()
    def counted_is_held(self):
        held = [value for value, _ in self.cache._table.values()]
        assert self.cache.held == sum(map(len, held)) <= BUDGET
        assert len(self.cache) == len(self.order)


TestCache = CacheMachine.TestCase


def test_a_value_beyond_the_budget_is_not_kept_and_pushes_nothing_out():
    cache = ByteCache(10, len)
    cache.put("small", b"12345")
    cache.put("large", b"12345678901")
    assert cache.get("large") is None
    assert cache.get("small") == b"12345"


@given(st.integers(2, 6))
def test_the_count_survives_threads(threads):
    cache = ByteCache(50, len)

    def work(seed):
        for step in range(200):
            cache.put((seed * step) % 13, bytes(step % 9))
            cache.discard((seed + step) % 7)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert cache.held == sum(len(value) for value, _ in cache._table.values()) <= 50
