import pickle

import pytest

import fervid.errors
from fervid.errors import FervidError, InputError, MissingExtraError, UsageError, escape_bytes


def all_errors() -> list[type[FervidError]]:
    return [e for e in vars(fervid.errors).values() if isinstance(e, type) and issubclass(e, FervidError)]


def test_every_error_has_a_code_of_its_own_below_its_parent() -> None:
    codes = [e.code for e in all_errors()]
    assert len(set(codes)) == len(codes) == 15
    for error in all_errors():
        parent = error.__mro__[1]
        if issubclass(parent, FervidError) and parent is not FervidError:
            assert error.code.startswith(parent.code + ".")


def test_the_docstring_draws_the_whole_tree() -> None:
    assert fervid.errors.__doc__ is not None
    for error in all_errors():
        assert error.__name__ in fervid.errors.__doc__
        if error is not FervidError:
            assert error.code in fervid.errors.__doc__


@pytest.mark.parametrize("kind", all_errors())
def test_errors_survive_pickling(kind: type[FervidError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", advice="do")))
    assert type(error) is kind
    assert (error.message, error.advice) == ("what", "do")


def test_message_and_advice_are_one_sentence_each() -> None:
    assert str(UsageError("a is 3", advice="Use 4.")) == "a is 3. Use 4."
    assert str(UsageError("a is 3")) == "a is 3"
    assert UsageError("a", advice="b").to_dict() == {"code": "usage", "message": "a", "advice": "b"}


def test_names_that_are_no_utf8_can_be_written_everywhere() -> None:
    name = b"caf\xe9/\xf0\x9f\x98\x8a.jpg".decode("utf-8", "surrogateescape")
    assert escape_bytes(name) == r"caf\xe9/😊.jpg"
    assert escape_bytes("a\ud800b") == r"a\ud800b"
    error = UsageError(f"{name} is wrong", advice=f"Rename {name}.")
    assert (str(error), error.args) == (
        r"caf\xe9/😊.jpg is wrong. Rename caf\xe9/😊.jpg.",
        (r"caf\xe9/😊.jpg is wrong",),
    )


@pytest.mark.parametrize("path", ["S3://b/a.jpg", "file:/a.jpg", "https:/example.com/a.jpg?b=c"])
def test_an_address_is_told_from_a_path(path: str) -> None:
    error = InputError.for_path(path, FileNotFoundError(2, "No such file or directory"))
    assert error.message == f"{path.replace('://', ':/').replace(':/', '://')} is no file"
    assert "download it first" in error.advice


@pytest.mark.parametrize("path", ["C:/a.jpg", "a.jpg", "a/http://b.jpg", "http:x.jpg"])
def test_a_path_that_cannot_be_opened_says_why(path: str) -> None:
    error = InputError.for_path(path, FileNotFoundError(2, "No such file or directory"))
    assert error.message == f"cannot open {path} (No such file or directory)"


def test_a_missing_extra_gives_the_pip_line() -> None:
    assert 'pip install "fervid[train]"' in str(MissingExtraError.for_extra("train", "torch", "Training"))
