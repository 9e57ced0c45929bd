"""A KMIP server for tests, made of PyKMIP's own engine and sessions.

PyKMIP's front end wraps its socket by a function that Python 3.12 does not have any more, and offers none of the cipher suites that Go
does. So the TLS context is made here; everything that is said over it is PyKMIP's. Arguments: a folder with ca.crt, tls.crt and
tls.key. The port is the first line of the output. The server ends when its input does.
"""

import copy
import os
import pathlib
import socket
import ssl
import sys
import threading

from kmip.core import policy
from kmip.services.server import engine, session


def main(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.crt")
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    keeper = engine.KmipEngine(policies=copy.deepcopy(policy.policies), database_path=str(folder / "keys.db"))
    listener = context.wrap_socket(
        socket.create_server(("127.0.0.1", 0)), server_side=True, do_handshake_on_connect=False
    )
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    number = 0
    while True:
        connection, address = listener.accept()
        number += 1
        visitor = session.KmipSession(keeper, connection, address, name=str(number))
        visitor.daemon = True
        visitor.start()


main(pathlib.Path(sys.argv[1]))
