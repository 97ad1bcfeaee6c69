# The worker: takes jobs off the queue, one execution at a time, and carries each certificate's order through. The only one that
# touches secrets, keys and DNS.

locals {
  renew_package = var.renew_package != null ? var.renew_package : "${path.module}/../../dist/renew.zip"
  renew_timeout = 900 # the longest that Lambda gives

  # The values are secret, their names aren't: a plan goes on showing what else changes in the environment.
  extra_environment = { for k in nonsensitive(keys(var.extra_environment)) : k => var.extra_environment[k] }
}

resource "aws_lambda_function" "renew" {
  function_name    = "${var.name}-renew"
  description      = "Issues and renews certificates over ACME and stores them in Secrets Manager."
  role             = aws_iam_role.renew.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = local.renew_package
  source_code_hash = try(filebase64sha256(local.renew_package), null)
  timeout          = local.renew_timeout
  memory_size      = var.renew_memory_size

  # All ACME traffic of an account goes through one execution. The lease in the table holds that too, and alone where nothing
  # can be reserved (-1).
  reserved_concurrent_executions = var.reserve_concurrency ? 1 : -1

  environment {
    variables = merge(local.environment, local.extra_environment)
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.renew.name
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.renew_package)
      error_message = "renew_package: there is no file ${local.renew_package}; run `make package`, or give the zip's path."
    }
  }

  depends_on = [aws_iam_role_policy.renew]
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn                   = aws_sqs_queue.jobs.arn
  function_name                      = aws_lambda_function.renew.arn
  enabled                            = var.enabled
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = 5 # above a batch of 10 AWS wants a window
  function_response_types            = ["ReportBatchItemFailures"]

  # 2 is the least that AWS takes. The second poller is throttled, or stopped by the lease; its message comes back in time.
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_log_group" "renew" {
  name              = "/aws/lambda/${var.name}-renew"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "renew" {
  name                 = "${var.name}-renew"
  description          = "certpace's worker: secrets under ${local.secret_prefix}, challenge records, the table, the queue, events."
  assume_role_policy   = local.lambda_trust
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "renew" {
  name = "renew"
  role = aws_iam_role.renew.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        local.table_statement,
        local.events_statement,
        {
          Sid    = "Jobs"
          Effect = "Allow"
          Action = [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
          ]
          Resource = aws_sqs_queue.jobs.arn
        },
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.renew.arn}:*"
        },
      ],
      local.secret_statements,
      local.kms_statements,
      local.route53_statements,
      local.assume_statements,
      local.acm_statements,
    )
  })
}

locals {
  secrets_arn = "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.secret_prefix}"

  secret_statements = [
    {
      # Certificates, accounts/, pending/, and eab/, where a person keeps what a CA gave them to bind accounts to theirs.
      Sid    = "Secrets"
      Effect = "Allow"
      Action = [
        "secretsmanager:CreateSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutSecretValue",
        "secretsmanager:ReplicateSecretToRegions",
        "secretsmanager:TagResource",
        "secretsmanager:UpdateSecret",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      Resource = "${local.secrets_arn}*"
    },
    {
      # Keys of issuances in progress are deleted when the certificate is stored. No certificate's secret ever is.
      Sid      = "SecretsInProgress"
      Effect   = "Allow"
      Action   = "secretsmanager:DeleteSecret"
      Resource = "${local.secrets_arn}pending/*"
    },
  ]

  kms_statements = length(var.kms_key_arns) == 0 ? [] : [{
    Sid       = "Keys"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    Resource  = var.kms_key_arns
    Condition = { StringLike = { "kms:ViaService" = "secretsmanager.*.${data.aws_partition.current.dns_suffix}" } }
  }]

  zone_arns = var.hosted_zone_arns != null ? var.hosted_zone_arns : ["arn:${local.partition}:route53:::hostedzone/*"]

  route53_statements = [for s in [
    {
      Sid      = "Zones" # neither action can be held to a zone
      Effect   = "Allow"
      Action   = ["route53:ListHostedZones", "route53:ListHostedZonesByName"]
      Resource = "*"
    },
    {
      Sid      = "Changes"
      Effect   = "Allow"
      Action   = "route53:GetChange"
      Resource = "arn:${local.partition}:route53:::change/*"
    },
    {
      Sid      = "ReadZone"
      Effect   = "Allow"
      Action   = ["route53:GetHostedZone", "route53:ListResourceRecordSets"]
      Resource = local.zone_arns
    },
    {
      # Challenge records only, whatever else is in the zone. A change holds many records: every one of them must fit.
      Sid      = "WriteChallenges"
      Effect   = "Allow"
      Action   = "route53:ChangeResourceRecordSets"
      Resource = local.zone_arns
      Condition = {
        "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["TXT"] }
        "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = var.challenge_record_names }
      }
    },
  ] : s if length(local.zone_arns) > 0]

  assume_statements = length(var.dns_role_arns) == 0 ? [] : [{
    Sid      = "ZoneRoles"
    Effect   = "Allow"
    Action   = "sts:AssumeRole"
    Resource = var.dns_role_arns
  }]

  acm_arns = distinct(concat(var.acm_certificate_arns, flatten([for c in var.certificates : c.acm == null ? [] : c.acm[*].arn])))

  acm_statements = length(local.acm_arns) == 0 ? [] : [{
    Sid      = "ImportedCertificates"
    Effect   = "Allow"
    Action   = ["acm:GetCertificate", "acm:ImportCertificate"]
    Resource = local.acm_arns
  }]
}
