from app.architecture import FALSE, TRUE, Arena, Axis, Question, any_of

WIDTH = Question((0,), "/width", "choice", (8, 16, 24))
ARENA = Arena()
CASES = [(ARENA.when(WIDTH, (i,)), n) for i, n in enumerate(WIDTH.options) if isinstance(n, int)]


def test_normal_form_merges_and_drops() -> None:
    g = CASES[0][0]
    assert Axis.of([(2, TRUE), (3, TRUE), (0, g), (4, FALSE), (1, g)]).segments == ((5, TRUE), (1, g))
    assert Axis.of(7) == Axis.of([(3, TRUE), (4, TRUE)])
    assert Axis.of(0).segments == ()


def test_an_elastic_axis_is_nested_prefixes() -> None:
    axis = Axis.elastic(CASES)
    assert len(axis) == 24
    assert not axis.plain
    for n in (8, 16, 24):
        assert len(axis.given({"/width": (n,)}, {})) == n
        assert axis.given({"/width": (n,)}, {}).plain
        assert axis.kept({"/width": (n,)}, {}) == list(range(n))


def test_rings_are_nested_and_centred() -> None:
    kernel = Question((1,), "/kernel", "choice", (3, 5, 7))
    axis = Axis.rings([(ARENA.when(kernel, (i,)), n) for i, n in enumerate((3, 5, 7))])
    assert axis.kept({"/kernel": (3,)}, {}) == [2, 3, 4]
    assert axis.kept({"/kernel": (5,)}, {}) == [1, 2, 3, 4, 5]
    assert axis.kept({"/kernel": (7,)}, {}) == list(range(7))


def test_a_guarded_concat_keeps_what_is_there() -> None:
    g, h = CASES[0][0], CASES[1][0]
    axis = Axis.of(2).under(g) + Axis.of(3).under(h) + Axis.of(1)
    assert axis.kept({"/width": (8,)}, {}) == [0, 1, 5]
    assert axis.kept({"/width": (16,)}, {}) == [2, 3, 4, 5]
    assert axis.kept({"/width": (24,)}, {}) == [5]
    assert axis.under(FALSE) == Axis.of(0)
    assert axis.kept({}, {}) == list(range(6))


def test_single_case_is_plain() -> None:
    assert Axis.elastic([(TRUE, 5)]) == Axis.of(5)
    assert Axis.elastic([(any_of(*(g for g, _ in CASES)), 5)]) == Axis.of(5)
