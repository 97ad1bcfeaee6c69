# The inventory, the budgets and the leases: everything that certpace knows, beside the secrets. Backed up continuously, because
# it holds when each limit has room again; what is in the secrets is enough to rebuild the rest.
#
# Attributes named here are the keys of the table and of its index; internal/store knows the others, and a test there compares
# these with its own.

resource "aws_dynamodb_table" "inventory" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "due_pk"
    type = "S"
  }

  attribute {
    name = "due_at"
    type = "N"
  }

  # Sparse: only what will fall due has due_pk, so that a tick costs what is due and not what exists.
  global_secondary_index {
    name            = "due"
    hash_key        = "due_pk"
    range_key       = "due_at"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

locals {
  # The same for both functions. A transaction needs no action of its own: it needs those of its parts. BatchWriteItem is
  # missing on purpose, as it can't carry a condition, and no write here that matters goes without one; DeleteItem, as what is over
  # expires. Scan is the planner's alone: it looks through the table slice by slice.
  table_statement = {
    Sid    = "Table"
    Effect = "Allow"
    Action = [
      "dynamodb:BatchGetItem",
      "dynamodb:ConditionCheckItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    Resource = [aws_dynamodb_table.inventory.arn, "${aws_dynamodb_table.inventory.arn}/index/due"]
  }
}
