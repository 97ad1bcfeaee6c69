"""DynamoDB. That conditional writes are atomic is serving.TURN's doing."""
import copy
import json
import types
from typing import Any

import moto.dynamodb.models as models
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import DynamodbException, MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from . import serving

TOKEN_LIFE = 600  # seconds that AWS remembers a ClientRequestToken


def correct() -> None:
    cancelled_transactions_undo_only_themselves()
    transaction_tokens_are_honoured()
    batches_have_25_writes()


def cancelled_transactions_undo_only_themselves() -> None:
    """Moto copies the whole table before each transaction, which makes a transaction as slow as its
    table is large, and puts the copy back when it is cancelled. Only what it touched is kept here."""

    def copy_but_tables(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)

    models.copy = types.SimpleNamespace(deepcopy=copy_but_tables, copy=copy.copy)
    transact = models.DynamoDBBackend.transact_write_items

    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        before = [_held(self, op) for item in transact_items for op in item.values()]
        try:
            transact(self, transact_items)
        except Exception:
            for table, hash_key, range_key, item in filter(None, before):
                _put_back(table, hash_key, range_key, item)
            raise

    models.DynamoDBBackend.transact_write_items = transact_write_items


def _held(backend: Any, op: dict[str, Any]) -> tuple[Table, DynamoType, DynamoType | None, Item | None] | None:
    """What the table holds now under the key of one write of a transaction; None where the write is malformed."""
    table, given = backend.tables.get(op.get("TableName")), op.get("Key") or op.get("Item") or {}
    if table is None or table.hash_key_attr not in given:
        return None
    hash_key = DynamoType(given[table.hash_key_attr])
    range_key = DynamoType(given[table.range_key_attr]) if table.range_key_attr in given else None
    return table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key))


def _put_back(table: Table, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
    rows, key = (table.items, hash_key) if range_key is None else (table.items[hash_key], range_key)
    rows.pop(key, None)
    if item is not None:
        rows[key] = item


class IdempotentParameterMismatch(DynamodbException):
    def __init__(self) -> None:
        super().__init__(
            "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException",
            message="The request was rejected because it was retried with the same client token but different parameters",
        )


def transaction_tokens_are_honoured() -> None:
    """Moto ignores ClientRequestToken, so a repeat whose first answer was lost is refused by its own
    success, or done twice."""
    transact = DynamoHandler.transact_write_items

    def transact_write_items(self: Any) -> ActionResult:
        token, items = self.body.get("ClientRequestToken"), json.dumps(self.body.get("TransactItems"), sort_keys=True, default=repr)
        known = self.dynamodb_backend.__dict__.setdefault("certpace_tokens", {})  # ends with the backend's state
        until, done = known.get(token, (0, None))
        if token and serving.now() < until:
            if done != items:
                raise IdempotentParameterMismatch
            return ActionResult({})
        answer = transact(self)
        if token:
            known[token] = (serving.now() + TOKEN_LIFE, items)
        return answer

    DynamoHandler.transact_write_items = transact_write_items


def batches_have_25_writes() -> None:
    write = DynamoHandler.batch_write_item

    def batch_write_item(self: Any) -> ActionResult:
        if sum(len(writes) for writes in self.body.get("RequestItems", {}).values()) > 25:
            raise MockValidationException("Too many items requested for the BatchWriteItem call")
        return write(self)

    DynamoHandler.batch_write_item = batch_write_item
