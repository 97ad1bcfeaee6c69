"""The AWS of the lab: moto 5.2.1, corrected where it isn't AWS.

    python emulator.py -p PORT

It listens on loopback only. Every correction is a function of its own in corrections/, with the
cure named above it; what moto does right is left alone.
"""
import argparse
import ipaddress
import os
import signal
import sys
import threading

# Both are read when moto is imported. CORS is for browsers; it costs a tenth of a request.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
sys.dont_write_bytecode = True  # the sources may be in somebody's checkout

from corrections import correct, lab, serving  # noqa: E402


def loopback(text: str) -> str:
    if not ipaddress.ip_address(text).is_loopback:
        raise argparse.ArgumentTypeError(f"{text} is not a loopback address; use 127.0.0.1")
    return text


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="moto 5.2.1, corrected where it isn't AWS")
    parser.add_argument("-H", "--host", type=loopback, default="127.0.0.1", help="loopback address (default 127.0.0.1)")
    parser.add_argument("-p", "--port", type=int, default=0, help="port; 0, the default, takes a free one and prints it")
    parser.add_argument("--listen-fd", type=int, help="serve this listening socket, inherited from the parent")
    parser.add_argument("--parent-pipe", action="store_true", help="exit when standard input ends, as it does when the parent dies")
    return parser.parse_args()


def exit_with_parent() -> None:
    """A pipe's end is closed by the kernel however its owner ends, so this holds after SIGKILL too."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    args = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    if args.parent_pipe:
        threading.Thread(target=exit_with_parent, daemon=True).start()
    # Bound before the slow part, so that whoever is waiting waits in the queue and need not poll.
    server = serving.Server(args.host, args.port, args.listen_fd)
    server.serve(lab.application(correct()))


if __name__ == "__main__":
    main()
