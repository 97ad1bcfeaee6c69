# The planner: every tick it reads what is due and puts jobs on the queue. Its role reads and writes the table, sends to the
# queue and puts events: no key, no secret, no DNS, no ACME account.

locals {
  plan_package = var.plan_package != null ? var.plan_package : "${path.module}/../../dist/plan.zip"

  # Of the 15 minutes of a tick, asking the CA for renewal windows takes 5 at most; a tick that took longer than this would run
  # into the next one.
  plan_timeout = 600
}

resource "aws_lambda_function" "plan" {
  function_name    = "${var.name}-plan"
  description      = "Plans renewals within the CA's limits and puts them on the queue."
  role             = aws_iam_role.plan.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = local.plan_package
  source_code_hash = try(filebase64sha256(local.plan_package), null)
  timeout          = local.plan_timeout
  memory_size      = var.plan_memory_size

  environment {
    variables = local.environment
  }

  logging_config {
    log_format = "Text" # the program writes JSON lines itself, metrics among them
    log_group  = aws_cloudwatch_log_group.plan.name
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.plan_package)
      error_message = "plan_package: there is no file ${local.plan_package}; run `make package`, or give the zip's path."
    }
  }

  depends_on = [aws_iam_role_policy.plan]
}

resource "aws_cloudwatch_log_group" "plan" {
  name              = "/aws/lambda/${var.name}-plan"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "plan" {
  name                 = "${var.name}-plan"
  description          = "certpace's planner: the table, the queue, events; no secret, no key, no DNS."
  assume_role_policy   = local.lambda_trust
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "plan" {
  name = "plan"
  role = aws_iam_role.plan.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.table_statement,
      {
        Sid      = "Slices"
        Effect   = "Allow"
        Action   = "dynamodb:Scan"
        Resource = aws_dynamodb_table.inventory.arn
      },
      local.events_statement,
      {
        Sid      = "Jobs"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
        Resource = aws_sqs_queue.jobs.arn
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.plan.arn}:*"
      },
    ]
  })
}

# The scheduler invokes asynchronously, so that Lambda, not the scheduler, would repeat a failed tick; the next tick does all that
# the failed one left, so neither does, and one that is a tick late is dropped.
resource "aws_lambda_function_event_invoke_config" "plan" {
  function_name                = aws_lambda_function.plan.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 900
}

resource "aws_scheduler_schedule" "plan" {
  name                = "${var.name}-plan"
  description         = "certpace's tick."
  schedule_expression = "rate(15 minutes)" # no longer than SQS can delay a message, which is how jobs are spread inside it
  state               = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.plan.arn
    role_arn = aws_iam_role.schedule.arn
    input    = jsonencode({ tick = "15m" })

    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 900
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_iam_role" "schedule" {
  name                 = "${var.name}-schedule"
  description          = "certpace's schedule: invokes the planner."
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "schedule"
  role = aws_iam_role.schedule.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = aws_lambda_function.plan.arn
    }]
  })
}
