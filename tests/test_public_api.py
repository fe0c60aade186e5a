import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fervid

HEAVY = (
    "numpy", "cv2", "onnxruntime", "matplotlib", "PIL", "torch", "pyarrow", "rich", "typer", "av",
    "pandas", "supervision", "sklearn", "datasets",
)  # fmt: skip


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_exported_name_exists_and_the_list_is_complete() -> None:
    for name in fervid.__all__:
        assert getattr(fervid, name) is not None
    assert set(fervid._HOMES) | {"__version__"} == set(fervid.__all__)
    assert dir(fervid) == sorted(fervid.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fervid.nonsense  # noqa: B018


def test_type_checkers_see_every_public_name_and_no_misspelled_one() -> None:
    module = ast.parse(Path(fervid.__file__).read_text(encoding="utf-8"))
    assert "__getattr__" not in [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    seen = [
        alias.asname or alias.name
        for block in module.body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted(seen) == sorted(fervid._HOMES)


def test_importing_fervid_loads_nothing_heavy() -> None:
    loaded = run_python("import sys, fervid; print(*sys.modules)").split()
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_using_fervid_and_its_compat_loads_none_of_the_packages_it_fits() -> None:
    code = """
import sys, numpy
import fervid, fervid.compat.fer, fervid.compat.sklearn, fervid.datasets.huggingface
picture = numpy.zeros((64, 64, 3), numpy.uint8)
analysis = fervid.Analyzer("small", "faces", threads=1).analyze(picture)
analysis._repr_html_(), fervid.compat.sklearn.ExpressionClassifier("small").predict([picture])
print(*sys.modules)
"""
    loaded = {name.partition(".")[0] for name in run_python(code).split()}
    assert "fervid" in loaded
    assert not loaded & {"pandas", "supervision", "sklearn", "datasets", "torch", "fer", "cv2"}


def test_help_stays_light() -> None:
    code = """
import sys
from typer.main import get_command
from fervid.cli.app import app, main
for verb in get_command(app).commands:
    sys.argv = ["fervid", verb, "--help"]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
    print("LOADED", verb, *sys.modules)
"""
    lines = [line.split() for line in run_python(code).splitlines() if line.startswith("LOADED")]
    assert len(lines) > 10
    for _, verb, *loaded in lines:
        assert not {name.partition(".")[0] for name in loaded} & {*HEAVY} - {"rich", "typer"}, verb
