from fervid.wording import count_nouns


def test_nouns_are_counted() -> None:
    assert [count_nouns(n, "core") for n in (0, 1, 2000)] == ["0 cores", "1 core", "2,000 cores"]
    assert [count_nouns(n, "person", "people") for n in (0, 1, 2)] == ["0 people", "1 person", "2 people"]
