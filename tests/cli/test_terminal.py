from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

from .project import POSTS, USERS, ProjectFolder


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, project: ProjectFolder, *words: str) -> None:
        self.master, slave = pty.openpty()
        environment = {
            **os.environ,
            "NO_COLOR": "",
            **project.environment,
            "TERM": "xterm-256color",
            "COLUMNS": "100",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kolumn.cli.main", *words, "-C", str(project.folder)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, wanted: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < deadline, self.text
            self._read()
        return self.text

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        while self._read():
            pass
        os.close(self.master)
        return self.process.wait(timeout=1)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], 0.1)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


def test_a_person_is_asked_and_yes_is_taken(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    terminal = Terminal(project, "apply")
    text = terminal.read_until("Only yes is taken as a yes:")
    assert "\x1b[32m" in text, "colour on a terminal"
    assert project.objects() == set()
    terminal.type("yes\n")
    assert terminal.end() == 0
    assert "Apply complete: 3 created" in terminal.text
    assert project.objects() == {"users", "posts", "posts_by_author"}


def test_anything_else_is_a_no(project: ProjectFolder) -> None:
    project.write(USERS)
    terminal = Terminal(project, "apply")
    terminal.read_until("Only yes is taken as a yes:")
    terminal.type("y\n")
    assert terminal.end() == 1
    assert "Nothing was changed." in terminal.text
    assert project.objects() == set()


def test_ctrl_c_at_the_question_ends_at_once(project: ProjectFolder) -> None:
    project.write(USERS)
    terminal = Terminal(project, "apply")
    terminal.read_until("Only yes is taken as a yes:")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "Nothing was changed." in terminal.text
    project.apply()


def test_no_color_is_honoured(project: ProjectFolder) -> None:
    project.write(USERS)
    project.environment["NO_COLOR"] = "1"
    terminal = Terminal(project, "plan")
    assert terminal.end() == 0
    assert "+ sqlite_table.users" in terminal.text
    assert "\x1b[3" not in terminal.text
