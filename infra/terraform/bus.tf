# Where certpace says what happened: issued, failed, expiring, deferred, paused (source `certpace`). Rules and targets are the
# account's own affair.

resource "aws_cloudwatch_event_bus" "events" {
  count = var.event_bus == null ? 1 : 0
  name  = var.name
}

locals {
  event_bus = var.event_bus == null ? one(aws_cloudwatch_event_bus.events[*].name) : var.event_bus

  event_bus_arn = (
    var.event_bus == null ? one(aws_cloudwatch_event_bus.events[*].arn)
    : startswith(var.event_bus, "arn:") ? var.event_bus
    : "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${var.event_bus}"
  )

  events_statement = {
    Sid      = "Events"
    Effect   = "Allow"
    Action   = "events:PutEvents"
    Resource = local.event_bus_arn
  }
}
