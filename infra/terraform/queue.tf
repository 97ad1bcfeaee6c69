# Jobs from the planner, and from people, to the worker. A cache of the plan: a lost message comes again with the next tick.
# Standard, not FIFO: a FIFO queue has no delay for a single message, which is what spreads jobs inside a tick.

locals {
  jobs_queue_name = "${var.name}-jobs-${local.shard}"
  dead_queue_name = "${local.jobs_queue_name}-dead"

  # Written out, because each queue's policies name the queues by ARN while they are being made.
  jobs_queue_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.jobs_queue_name}"
  dead_queue_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.dead_queue_name}"
}

resource "aws_sqs_queue" "jobs" {
  name                       = local.jobs_queue_name
  visibility_timeout_seconds = 6 * local.renew_timeout # what Lambda asks for: room for its own retries of a throttled batch
  message_retention_seconds  = 345600                  # 4 days
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    # Generous: a delivery also counts when the one execution was busy, and when the worker stopped at a safe point to go on later.
    maxReceiveCount = 20
  })

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.tls_only, { Resource = local.jobs_queue_arn })]
  })
}

# What the worker couldn't even acknowledge twenty times: a fault in the program or its permissions, for a person to look at.
resource "aws_sqs_queue" "dead" {
  name                      = local.dead_queue_name
  message_retention_seconds = 1209600 # 14 days, the longest there is
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.jobs_queue_arn]
  })

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.tls_only, { Resource = local.dead_queue_arn })]
  })
}

locals {
  tls_only = {
    Sid       = "TLSOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}
