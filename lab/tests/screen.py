"""A viewer that says what it was shown: two connections to a screen at the same time, as SPICE's viewers have more.

screen.py spice+unix:///SOCKET | vnc+unix:///SOCKET | /SOCKET (VNC), as viewers are called.
"""
import os
import socket
import struct
import sys


def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise SystemExit(f"the screen ended after {data!r}")
        data += piece
    return data


def spice(stream):
    # SpiceLinkHeader and SpiceLinkMess of the SPICE protocol: the main channel, no capabilities.
    stream.sendall(b"REDQ" + struct.pack("<III", 2, 2, 18) + struct.pack("<IBBIII", 0, 1, 0, 0, 0, 18))
    magic, _, _, size = struct.unpack("<4sIII", exactly(stream, 16))
    (error,) = struct.unpack("<I", exactly(stream, size)[:4])
    return f"spice {magic.decode()} {error}"


def vnc(stream):
    # RFC 6143: version, security type 1 (none), a shared session.
    version = exactly(stream, 12)
    stream.sendall(version)
    types = exactly(stream, exactly(stream, 1)[0])
    stream.sendall(b"\x01")
    (refused,) = struct.unpack(">I", exactly(stream, 4))
    stream.sendall(b"\x01")
    width, height = struct.unpack(">HH", exactly(stream, 24)[:4])
    return f"vnc {version.decode().strip()} {1 in types} {refused} {width > 0 and height > 0}"


address = sys.argv[1].removeprefix("--uri=")
scheme, _, path = address.rpartition("://")
streams = []
for _ in range(2):
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(20)
    stream.connect(path)
    streams.append(stream)
with open(os.environ["SCREEN_SEEN"], "a", encoding="ascii") as seen:
    for stream in streams:
        print((spice if scheme.startswith("spice") else vnc)(stream), file=seen)
