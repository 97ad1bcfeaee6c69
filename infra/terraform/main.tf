# What the parts share. Each part has a file of its own: table, queue, plan, renew, bus, alarms.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # One ACME account with its queue, worker, lease and pace. There is one today; its number is in the names, so that a second
  # one is an addition and not a migration.
  shard = 0

  # Two deployments in one account and region must not meet in their secrets: what is in use, and the ACME account, are there.
  secret_prefix = var.secret_prefix != null ? var.secret_prefix : "${var.name}/"

  # The functions refuse to start on a CERTPACE_ name that they don't know, so nothing is set beside these, and an optional one
  # only where it was given. Merged, not filtered: a filter over values known only after the apply would leave the names unknown too.
  environment = merge(
    {
      CERTPACE_TABLE          = aws_dynamodb_table.inventory.name
      CERTPACE_QUEUE_URL      = aws_sqs_queue.jobs.url
      CERTPACE_SECRET_PREFIX  = local.secret_prefix
      CERTPACE_ACME_DIRECTORY = var.acme_directory
      CERTPACE_DNS_PROVIDER   = var.dns_provider
      CERTPACE_EVENT_BUS      = local.event_bus
    },
    var.acme_email == null ? {} : { CERTPACE_ACME_EMAIL = var.acme_email },
    var.acme_ca_bundle == null ? {} : { CERTPACE_ACME_CA_BUNDLE = var.acme_ca_bundle },
    var.acme_rate == null ? {} : { CERTPACE_ACME_RATE = tostring(var.acme_rate) },
    length(var.dns_resolvers) == 0 ? {} : { CERTPACE_DNS_RESOLVERS = join(",", var.dns_resolvers) },
  )

  lambda_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}
