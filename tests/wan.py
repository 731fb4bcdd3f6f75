#!/usr/bin/env python3
"""A long way between two network namespaces: packets are late, and some are lost.

    wan.py DELAY_MS LOSS_PERCENT

Makes two tun devices, wan0 and wan1, and says "ready": now each may be moved to a namespace. Then
standard input tells which direction is open, a word a line: both, none, to0 or to1. Ends with it.
"""

import fcntl
import os
import random
import selectors
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET_MAX = 65536
DIRECTIONS = {"both": (True, True), "none": (False, False), "to0": (True, False), "to1": (False, True)}


def tun_open(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def packets_read(fd):
    try:
        while True:
            yield os.read(fd, PACKET_MAX)
    except BlockingIOError:
        return
    except OSError:  # while the device is down
        return


def packet_write(fd, packet):
    try:
        os.write(fd, packet)
    except OSError:  # the device is down, or has no space: a packet is lost
        pass


def relay(delay, loss):
    tuns = [tun_open("wan0"), tun_open("wan1")]
    is_open = DIRECTIONS["both"]
    chance = random.Random(1)
    waiting = []  # in the order in which they are due: (when, destination, packet)
    selector = selectors.DefaultSelector()
    for fd in (*tuns, sys.stdin.fileno()):
        selector.register(fd, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready = [key.fd for key, _ in selector.select(timeout)]
        if sys.stdin.fileno() in ready:
            words = os.read(sys.stdin.fileno(), 64).decode().split()
            if not words:
                return
            is_open = DIRECTIONS[words[-1]]
        now = time.monotonic()
        for source in (0, 1):
            if tuns[source] in ready:
                for packet in packets_read(tuns[source]):
                    if is_open[1 - source] and chance.random() >= loss:
                        waiting.append((now + delay, 1 - source, packet))
        while waiting and waiting[0][0] <= now:
            _, destination, packet = waiting.pop(0)
            if is_open[destination]:
                packet_write(tuns[destination], packet)


relay(float(sys.argv[1]) / 1000, float(sys.argv[2]) / 100)
