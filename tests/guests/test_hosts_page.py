"""The programs of docs/HOSTS.md for hosts that are installed here, Django among them."""

from tests.python.test_hosts import run, test_a_program_as_guest, test_a_python_guest

__all__ = ["run", "test_a_program_as_guest", "test_a_python_guest"]
