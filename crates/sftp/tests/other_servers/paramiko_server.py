"""An SFTP server made of paramiko, which names no extensions: python paramiko_server.py FOLDER. Ends with its standard
input."""

import json
import os
import socket
import sys
import threading

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

FOLDER = sys.argv[1]


class Door(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        return AUTH_SUCCESSFUL if (username, password) == ("hero", "practice") else AUTH_FAILED

    def get_allowed_auths(self, username):
        return "password"

    def check_channel_request(self, kind, chanid):
        return OPEN_SUCCEEDED


class Handle(paramiko.SFTPHandle):
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


def answered(function):
    """Turns the system's errors into SFTP's."""

    def wrapped(*arguments):
        try:
            return function(*arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    return wrapped


class Files(paramiko.SFTPServerInterface):
    def _local(self, path):
        return FOLDER + self.canonicalize(path)

    @answered
    def list_folder(self, path):
        local = self._local(path)
        entries = []
        for name in os.listdir(local):
            entry = paramiko.SFTPAttributes.from_stat(os.stat(os.path.join(local, name)))
            entry.filename = name
            entries.append(entry)
        return entries

    @answered
    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.stat(self._local(path)))

    @answered
    def lstat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.lstat(self._local(path)))

    @answered
    def open(self, path, flags, attr):
        descriptor = os.open(self._local(path), flags, 0o644)
        mode = "rb" if not flags & (os.O_WRONLY | os.O_RDWR) else "wb" if flags & os.O_WRONLY else "r+b"
        handle = Handle(flags)
        handle.readfile = handle.writefile = os.fdopen(descriptor, mode)
        return handle

    @answered
    def remove(self, path):
        os.remove(self._local(path))
        return paramiko.SFTP_OK

    @answered
    def rename(self, oldpath, newpath):
        if os.path.lexists(self._local(newpath)):
            return paramiko.SFTP_FAILURE
        os.rename(self._local(oldpath), self._local(newpath))
        return paramiko.SFTP_OK


def serve(client, key):
    transport = paramiko.Transport(client)
    transport.add_server_key(key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    try:
        transport.start_server(server=Door())
    except (EOFError, paramiko.SSHException):
        transport.close()


def main():
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    ready = {"port": listener.getsockname()[1], "algorithm": key.get_name(), "sha256": key.fingerprint}
    print(json.dumps(ready), flush=True)

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, key), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


main()
