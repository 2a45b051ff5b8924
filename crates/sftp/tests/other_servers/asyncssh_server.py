"""An SFTP server made of asyncssh: python asyncssh_server.py FOLDER [MISCHIEF]. Ends with its standard input."""

import asyncio
import json
import os
import struct
import sys

import asyncssh
from asyncssh.stream import SSHServerStreamSession

FOLDER = sys.argv[1]
MISCHIEF = sys.argv[2] if len(sys.argv) > 2 else ""


def packet(kind, body):
    return struct.pack(">IB", len(body) + 1, kind) + body


def text(value):
    return struct.pack(">I", len(value)) + value


VERSION = packet(2, struct.pack(">I", 3) + text(b"posix-rename@openssh.com") + text(b"1"))
# What a misbehaving second channel answers, packet by packet.
ANSWERS = {
    "greets-with-words": [b"Welcome to this server!\r\n"],
    "claims-much": [struct.pack(">I", 0xFFFFFFFF) + b"x" * 100],
    "says-nothing-in-it": [struct.pack(">I", 0)],
    "cuts-its-texts": [packet(2, struct.pack(">II", 3, 0x7FFFFFFF) + b"posix-rename@openssh.com")],
    "closes": [None],
    "answers-another-request": [VERSION, packet(101, struct.pack(">III", 99, 0, 0))],
    "answers-with-words": [VERSION, b"renamed, of course\r\n"],
    "answers-half": [VERSION, packet(101, struct.pack(">I", 0))],
    "closes-when-asked": [VERSION, None],
}


class Confused(asyncssh.SSHServerSession):
    def connection_made(self, chan):
        self._chan = chan
        self._answers = list(ANSWERS[MISCHIEF])

    def subsystem_requested(self, subsystem):
        return True

    def data_received(self, data, datatype):
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            self._chan.close()
        else:
            self._chan.write(answer)


class Files(asyncssh.SFTPServer):
    lost_answers = 0

    def __init__(self, chan):
        super().__init__(chan, chroot=FOLDER.encode())
        self._closed = False

    async def close(self, file_obj):
        if MISCHIEF == "closes-late":
            await asyncio.sleep(float(os.environ["CLOSES_AFTER"]))
        super().close(file_obj)
        self._closed = True

    async def stat(self, path):
        if MISCHIEF == "never-looks-at-what-it-closed" and self._closed:
            await asyncio.Event().wait()
        return super().stat(path)

    def open(self, path, pflags, attrs):
        if pflags & asyncssh.FXF_EXCL:
            if MISCHIEF == "opens-nothing-exclusively":
                raise asyncssh.SFTPOpUnsupported("no such flag here")
            if MISCHIEF == "denies-what-exists-and-removals" and os.path.lexists(self.map_path(path)):
                raise asyncssh.SFTPPermissionDenied("there is one")
        return super().open(path, pflags, attrs)

    def remove(self, path):
        if MISCHIEF == "denies-what-exists-and-removals":
            raise asyncssh.SFTPPermissionDenied("nothing is removed here")
        super().remove(path)

    def posix_rename(self, oldpath, newpath):
        if MISCHIEF == "refuses-posix-rename":
            raise asyncssh.SFTPPermissionDenied("not for you")
        super().posix_rename(oldpath, newpath)
        self._perhaps_hang_up()

    def rename(self, oldpath, newpath):
        super().rename(oldpath, newpath)
        # The second one gives the new file its name.
        self._perhaps_hang_up(after=2)

    def _perhaps_hang_up(self, after=1):
        if MISCHIEF in ("hangs-up-after-renaming", "hangs-up-after-setting-aside"):
            Files.lost_answers += 1
            if Files.lost_answers == (after if MISCHIEF == "hangs-up-after-renaming" else 1):
                self.channel.get_connection().abort()

    async def scandir(self, path):
        if MISCHIEF == "lists-mischief":
            attributes = asyncssh.SFTPAttrs(size=1)
            for name in (b".", b"..", b"../../etc/passwd", b"a/b", b"/abs", b"c\\d", b"good.txt", b"nul\0", b""):
                yield asyncssh.SFTPName(name, attrs=attributes)
        elif MISCHIEF == "lists-for-ever":
            attributes = asyncssh.SFTPAttrs(size=1)
            number = 0
            while True:
                number += 1
                yield asyncssh.SFTPName(b"x" * 100 + str(number).encode(), attrs=attributes)
        else:
            async for entry in super().scandir(path):
                yield entry


class Server(asyncssh.SSHServer):
    def connection_made(self, connection):
        self._connection = connection
        self._channels = 0

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("hero", "practice")

    def session_requested(self):
        self._channels += 1
        if self._channels > 1:
            if MISCHIEF == "hangs-up-on-a-second-channel":
                self._connection.abort()
                return False
            if MISCHIEF in ("one-channel", "hangs-up-after-setting-aside") or (
                MISCHIEF == "hangs-up-after-renaming" and os.environ.get("ONE_CHANNEL")
            ):
                return False
            if MISCHIEF in ANSWERS:
                return Confused()
        return SSHServerStreamSession(None, Files, 3)


async def main():
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[key], encoding=None)
    ready = {"port": server.get_port(), "algorithm": "ssh-ed25519", "sha256": key.get_fingerprint()}
    print(json.dumps(ready), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
