"""What is deselected, and that it is said: a deselected test must never look like a passed one."""

import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
CONFIGURED = ("-c", str(CONFTEST.parent.parent / "pyproject.toml"), "-p", "no:cacheprovider")
SAMPLE = textwrap.dedent("""
    import pytest

    @pytest.mark.handbook
    def test_reads_the_handbook():
        pass

    @pytest.mark.tools("sh", "no-such-program")
    def test_needs_a_program():
        pass

    def test_needs_nothing():
        pass
""")


def test_what_cannot_run_is_deselected_in_words(pytester: pytest.Pytester) -> None:
    # Given a project whose parent has no handbook, and a program that no machine has
    project = pytester.mkdir("project")
    (project / "tests" / "e2e").mkdir(parents=True)
    (project / "tests" / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")
    (project / "tests" / "test_sample.py").write_text(SAMPLE, "utf-8")
    # When its tests run
    result = pytester.runpytest_subprocess(*CONFIGURED, "--rootdir=project", "project/tests")
    # Then the one that can run has run, and each reason stands in the output
    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "deselected (1) marked `handbook`: *",
            "deselected (1) marked `tools`: not on the PATH: no-such-program",
        ]
    )


def test_folders_mark_their_tests(pytester: pytest.Pytester) -> None:
    # Given one test in the folder of the end-to-end tests
    folder = pytester.mkdir("tests")
    (folder / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")
    (folder / "e2e").mkdir()
    (folder / "e2e" / "test_path.py").write_text("def test_path(): pass\n", "utf-8")
    # When everything but end-to-end tests is asked for, it is left out
    result = pytester.runpytest_subprocess(*CONFIGURED, "--rootdir=.", "-m", "not e2e", "tests")
    result.assert_outcomes(deselected=1)
