# Thin on purpose: what tells that certpace itself has stopped, from outside of it, and that only a person can go on. What it knows
# itself (a failed renewal, an expiry ahead) it says as events and metrics.

# Nothing has run for three ticks: a stopped schedule, a role that lost its permission, an account without concurrency.
resource "aws_cloudwatch_metric_alarm" "plan_missing" {
  alarm_name          = "${var.name}-plan-missing"
  alarm_description   = "certpace's planner was not invoked for 45 minutes: nothing new gets renewed. Look at the schedule ${var.name}-plan and its role."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = aws_lambda_function.plan.function_name }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  actions_enabled     = var.enabled
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# One failed tick is made good by the next; three are not. Of four quarters of an hour, as one may see no tick and the next two.
resource "aws_cloudwatch_metric_alarm" "plan_errors" {
  alarm_name          = "${var.name}-plan-errors"
  alarm_description   = "certpace's planner failed in three ticks within an hour: nothing new gets renewed. Look at the log group ${aws_cloudwatch_log_group.plan.name}."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.plan.function_name }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 4
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "jobs_dead" {
  alarm_name          = "${var.name}-jobs-dead"
  alarm_description   = "Jobs that certpace's worker could not acknowledge lie in ${aws_sqs_queue.dead.name}. Look at the log group ${aws_cloudwatch_log_group.renew.name}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# Certificates have no turn that lets their successors be there in time. Each tick counts all of them, so an hour without any ends the alarm.
resource "aws_cloudwatch_metric_alarm" "endangered" {
  alarm_name          = "${var.name}-endangered"
  alarm_description   = "certpace has certificates that may end before their successors are there. The events Certificate Expiring, and certpace plan, say which, why, and what would help."
  namespace           = "certpace"
  metric_name         = "Endangered"
  dimensions          = { Deployment = var.name, Shard = "0" }
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# Jobs lie on the queue and nobody takes them: a mapping that is off, a permission that is lost, a worker that doesn't start. A message may be lost, so one
# hour of them is none; two are.
resource "aws_cloudwatch_metric_alarm" "untaken" {
  alarm_name          = "${var.name}-untaken"
  alarm_description   = "Nobody takes certpace's jobs, two ticks after their start. Look at the event source mapping of ${aws_lambda_function.renew.function_name}, its errors and throttles, and its log group ${aws_cloudwatch_log_group.renew.name}."
  namespace           = "certpace"
  metric_name         = "JobsUntaken"
  dimensions          = { Deployment = var.name, Shard = "0" }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# How near the nearest end is, of all that is enabled and in use: read each tick, whatever the planner makes of it. A tick that writes neither is an
# alarm too, so nobody's error, the planner's own included, hides an end.
resource "aws_cloudwatch_metric_alarm" "ends" {
  for_each = {
    hours-to-expiry   = { metric = "HoursToExpiry", least = var.least_hours_to_expiry, says = "hours are left until the first of certpace's certificates ends" }
    life-left-percent = { metric = "LifeLeftPercent", least = var.least_life_left_percent, says = "% of its life are left of one of certpace's certificates" }
  }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "Less than ${each.value.least} ${each.value.says}, or three quarters of an hour passed without anybody having looked. certpace status and certpace plan say which; if they can't, look at the log group ${aws_cloudwatch_log_group.plan.name}."
  namespace           = "certpace"
  metric_name         = each.value.metric
  dimensions          = { Deployment = var.name, Shard = "0" }
  statistic           = "Minimum"
  period              = 900
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.least
  treat_missing_data  = "breaching"
  actions_enabled     = var.enabled
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# The CA refused orders of this account until somebody unpauses it, or certificates still wait for that: looked at once a day each, so the
# alarm ends a day after the last of them was let go.
resource "aws_cloudwatch_metric_alarm" "account_paused" {
  alarm_name          = "${var.name}-account-paused"
  alarm_description   = "The CA paused certpace's account for some names, and no waiting ends that. Look at certpace budgets, unpause the names at the CA, then certpace budgets resume."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "paused"
    expression  = "FILL(refused, 0) + FILL(waiting, 0)"
    label       = "orders refused and certificates waiting because the account is paused"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { refused = "IssuancesFailed", waiting = "JobsDeferred" }
    content {
      id = metric_query.key
      metric {
        namespace   = "certpace"
        metric_name = metric_query.value
        dimensions  = { Deployment = var.name, Shard = "0", Reason = "account-paused" }
        stat        = "Sum"
        period      = 86400
      }
    }
  }
}

# What goes wrong beside the issuances, none of which stops one: each is met again once a day at least while it lasts, so an alarm ends a day after the
# last time.
resource "aws_cloudwatch_metric_alarm" "beside" {
  for_each = {
    followups-failed = {
      metric = "FollowupsFailed"
      says   = "What is owed beside certpace's issuances failed: an import into ACM, tags or copies of a secret, or a revocation. Who reads from there has the certificate of before, until it ends. certpace status says which."
    }
    events-refused = {
      metric = "EventsRefused"
      says   = "EventBridge did not take events of certpace's: whoever counts on them hears nothing. Look at the bus, its policy, and the functions' logs."
    }
    items-unreadable = {
      metric = "ItemsUnreadable"
      says   = "Items of certpace's table can't be understood, and are passed over: a certificate among them is not renewed. certpace doctor names them."
    }
  }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "certpace"
  metric_name         = each.value.metric
  dimensions          = { Deployment = var.name, Shard = "0" }
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
