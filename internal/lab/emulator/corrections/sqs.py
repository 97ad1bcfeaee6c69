"""SQS, standard queues: certpace uses no others."""
import json
import time
from typing import Any

import moto.sqs.responses as responses
from moto.sqs.models import Message, Queue, SQSBackend

from . import serving


def correct() -> None:
    long_polls_give_their_turn_away()
    mappings_are_only_recorded()
    attributes_stay_and_come_back_as_given()
    batch_faults_are_booleans()
    old_receipts_delete_nothing()
    counts_read_the_clock_once()


def long_polls_give_their_turn_away() -> None:
    """And a poll whose client is gone takes no message: it would stay hidden for the visibility
    timeout, which is hours here."""
    receive = SQSBackend.receive_message

    def receive_message(self: SQSBackend, *args: Any, **kwargs: Any) -> list[Message]:
        serving.need_client()
        return receive(self, *args, **kwargs)

    SQSBackend.receive_message = receive_message
    Queue.wait_for_messages = lambda self, timeout: serving.wait_for_change()


def mappings_are_only_recorded() -> None:
    """An enabled mapping makes moto receive the message inside SendMessage and start the function in
    Docker. The lab has a poller of its own."""

    def add_message(self: Queue, message: Message) -> None:
        with serving.TURN:  # a rule of EventBridge may send without having the turn
            self._messages.append(message)
            serving.TURN.notify_all()

    Queue.add_message = add_message


def attributes_stay_and_come_back_as_given() -> None:
    """Setting any attribute wipes Policy, RedriveAllowPolicy is unknown, and RedrivePolicy comes back
    with blanks, which Terraform reads as a change."""
    Queue.BASE_ATTRIBUTES = Queue.BASE_ATTRIBUTES + ["RedriveAllowPolicy"]
    Queue.redrive_allow_policy = None
    put, listed = Queue._set_attributes, Queue.attributes.fget

    def set_attributes(self: Queue, attributes: dict[str, Any], now: Any = None) -> None:
        policy = getattr(self, "policy", None)
        put(self, attributes, now)
        if "Policy" not in attributes:
            self.policy = policy

    def attributes(self: Queue) -> dict[str, Any]:
        found = listed(self)
        if found.get("RedrivePolicy"):
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        if not found.get("RedriveAllowPolicy"):
            found.pop("RedriveAllowPolicy", None)
        return found

    Queue._set_attributes = set_attributes
    Queue.attributes = property(attributes)


def batch_faults_are_booleans() -> None:
    """SenderFault is a string in moto's batch answers; the Go SDK refuses the whole answer for it."""

    class BatchResult(responses.ActionResult):
        def __init__(self, result: Any) -> None:
            for fault in (isinstance(result, dict) and result.get("Failed")) or []:
                fault["SenderFault"] = str(fault.get("SenderFault")).lower() == "true"
            super().__init__(result)

    responses.ActionResult = BatchResult


def old_receipts_delete_nothing() -> None:
    """Received again, a message has a new receipt; deletion by the old one is answered well and may
    do nothing. Here it never does, so that nobody relies on it."""
    delete = Queue.delete_message

    def delete_message(self: Queue, receipt_handle: str) -> None:
        if not any(receipt_handle in m._old_receipt_handles for m in self._messages):
            delete(self, receipt_handle)

    Queue.delete_message = delete_message


def counts_read_the_clock_once() -> None:
    """Every send makes three counts over the queue with two clock calls for each message: at 100
    messages a send takes 12 ms."""

    def visible(self: Queue) -> list[Message]:
        now = time.time() * 1000
        return [m for m in self._messages if m.visible_at < now and m.delayed_until <= now]

    def delayed(self: Queue) -> int:
        now = time.time() * 1000
        return sum(now < m.delayed_until for m in self._messages)

    def in_flight(self: Queue) -> int:
        now = time.time() * 1000
        return sum(now <= m.visible_at for m in self._messages)

    Queue.messages = property(visible)
    Queue.approximate_number_of_messages = property(lambda self: len(visible(self)))
    Queue.approximate_number_of_messages_delayed = property(delayed)
    Queue.approximate_number_of_messages_not_visible = property(in_flight)
