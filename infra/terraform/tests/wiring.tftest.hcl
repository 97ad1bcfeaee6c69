# Which part is tied to which, with what numbers. Planned only, against a provider that isn't there.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_sqs_queue.jobs
  override_during = plan
  values = {
    arn = "arn:aws:sqs:eu-central-1:123456789012:certpace-jobs-0"
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/certpace-jobs-0"
  }
}

override_resource {
  target          = aws_sqs_queue.dead
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:certpace-jobs-0-dead" }
}

override_resource {
  target          = aws_lambda_function.plan
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:certpace-plan" }
}

override_resource {
  target          = aws_lambda_function.renew
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:certpace-renew" }
}

override_resource {
  target          = aws_iam_role.plan
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/certpace-plan" }
}

override_resource {
  target          = aws_iam_role.renew
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/certpace-renew" }
}

override_resource {
  target          = aws_iam_role.schedule
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/certpace-schedule" }
}

variables {
  acme_directory = "https://acme-v02.api.letsencrypt.org/directory"
  # Any two files do: nothing is uploaded, only their hashes are seen.
  plan_package  = "plan.tf"
  renew_package = "renew.tf"
}

run "the_queue_hides_a_message_for_six_times_the_workers_timeout" {
  command = plan

  assert {
    condition     = aws_sqs_queue.jobs.visibility_timeout_seconds >= 6 * aws_lambda_function.renew.timeout
    error_message = "visibility ${aws_sqs_queue.jobs.visibility_timeout_seconds} s is below 6 x ${aws_lambda_function.renew.timeout} s"
  }

  assert {
    condition     = aws_lambda_function.renew.timeout == 900
    error_message = "the worker's timeout is ${aws_lambda_function.renew.timeout} s, not the longest there is"
  }
}

run "the_worker_has_one_execution_and_the_least_pollers" {
  command = plan

  assert {
    condition     = aws_lambda_function.renew.reserved_concurrent_executions == 1
    error_message = "the worker's reserved concurrency is not 1"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.jobs.scaling_config[0].maximum_concurrency == 2
    error_message = "the mapping's maximum concurrency is not 2"
  }
}

run "without_a_reservation_the_lease_alone_holds_it_at_one" {
  command = plan

  variables {
    reserve_concurrency = false
  }

  assert {
    condition     = aws_lambda_function.renew.reserved_concurrent_executions == -1
    error_message = "something is reserved although reserve_concurrency is false"
  }
}

run "the_jobs_queue_feeds_the_worker_and_nothing_else_does" {
  command = plan

  assert {
    condition     = aws_lambda_event_source_mapping.jobs.event_source_arn == aws_sqs_queue.jobs.arn
    error_message = "the mapping does not read the job queue"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.jobs.function_name == aws_lambda_function.renew.arn
    error_message = "the mapping does not call the worker"
  }

  assert {
    condition     = toset(aws_lambda_event_source_mapping.jobs.function_response_types) == toset(["ReportBatchItemFailures"])
    error_message = "one failed job would bring the whole batch back"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.jobs.batch_size == 20 && aws_lambda_event_source_mapping.jobs.maximum_batching_window_in_seconds == 5
    error_message = "the batch is not 20 jobs in a window of 5 s"
  }
}

run "what_cannot_be_acknowledged_goes_to_the_dead_queue_and_stays_two_weeks" {
  command = plan

  assert {
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead.arn
    error_message = "the job queue does not point at the dead queue"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).maxReceiveCount == 20
    error_message = "maxReceiveCount is not 20"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dead.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = [aws_sqs_queue.jobs.arn]
    }
    error_message = "the dead queue does not take from the job queue alone"
  }

  assert {
    condition     = aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "the dead queue does not keep messages for 14 days"
  }
}

run "each_queue_refuses_what_comes_without_tls_under_its_own_arn" {
  command = plan

  assert {
    condition = alltrue([for q in [aws_sqs_queue.jobs, aws_sqs_queue.dead] : jsondecode(q.policy).Statement == [{
      Sid       = "TLSOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = q.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]])
    error_message = "a queue's policy is not TLS-only for that queue"
  }

  assert {
    condition     = aws_sqs_queue.jobs.sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "a queue is not encrypted"
  }
}

run "names_carry_the_deployment_and_the_shard" {
  command = plan

  variables {
    name = "pki-eu"
  }

  assert {
    condition     = aws_sqs_queue.jobs.name == "pki-eu-jobs-0" && aws_sqs_queue.dead.name == "pki-eu-jobs-0-dead"
    error_message = "the queues are ${aws_sqs_queue.jobs.name} and ${aws_sqs_queue.dead.name}"
  }

  assert {
    condition     = endswith(jsondecode(aws_sqs_queue.jobs.policy).Statement[0].Resource, ":pki-eu-jobs-0")
    error_message = "the job queue's policy is about ${jsondecode(aws_sqs_queue.jobs.policy).Statement[0].Resource}"
  }

  assert {
    condition     = endswith(jsondecode(aws_sqs_queue.dead.policy).Statement[0].Resource, ":pki-eu-jobs-0-dead")
    error_message = "the dead queue's policy is about ${jsondecode(aws_sqs_queue.dead.policy).Statement[0].Resource}"
  }

  assert {
    condition     = aws_dynamodb_table.inventory.name == "pki-eu"
    error_message = "the table is ${aws_dynamodb_table.inventory.name}"
  }

  assert {
    condition = alltrue([for n in [
      aws_lambda_function.plan.function_name, aws_lambda_function.renew.function_name,
      aws_iam_role.plan.name, aws_iam_role.renew.name, aws_iam_role.schedule.name, aws_scheduler_schedule.plan.name,
      aws_cloudwatch_metric_alarm.plan_missing.alarm_name, aws_cloudwatch_metric_alarm.plan_errors.alarm_name,
      aws_cloudwatch_metric_alarm.jobs_dead.alarm_name, aws_cloudwatch_metric_alarm.account_paused.alarm_name,
      aws_cloudwatch_metric_alarm.endangered.alarm_name,
    ] : startswith(n, "pki-eu-")])
    error_message = "a name does not begin with the deployment's"
  }

  assert {
    condition     = alltrue([for f in [aws_lambda_function.plan, aws_lambda_function.renew] : f.environment[0].variables.CERTPACE_SECRET_PREFIX == "pki-eu/"])
    error_message = "secrets are under ${aws_lambda_function.renew.environment[0].variables.CERTPACE_SECRET_PREFIX}, where another deployment's may be"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.endangered.dimensions.Deployment == "pki-eu"
    error_message = "the alarm watches the deployment ${aws_cloudwatch_metric_alarm.endangered.dimensions.Deployment}"
  }
}

run "the_table_has_the_keys_and_the_protection_that_the_store_counts_on" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.inventory.hash_key == "pk" && aws_dynamodb_table.inventory.range_key == null
    error_message = "the table's key is not pk alone"
  }

  assert {
    condition = { for a in aws_dynamodb_table.inventory.attribute : a.name => a.type } == {
      pk = "S", due_pk = "S", due_at = "N"
    }
    error_message = "the attributes are not pk S, due_pk S, due_at N"
  }

  assert {
    condition = [for i in aws_dynamodb_table.inventory.global_secondary_index : [i.name, i.hash_key, i.range_key, i.projection_type]] == [
      ["due", "due_pk", "due_at", "ALL"]
    ]
    error_message = "the index is not due (due_pk, due_at), with everything projected"
  }

  assert {
    condition     = aws_dynamodb_table.inventory.ttl[0].attribute_name == "expires" && aws_dynamodb_table.inventory.ttl[0].enabled
    error_message = "expires is not the table's TTL"
  }

  assert {
    condition     = aws_dynamodb_table.inventory.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.inventory.point_in_time_recovery[0].enabled
    error_message = "the table is not on demand with point-in-time recovery"
  }

  assert {
    condition     = aws_dynamodb_table.inventory.deletion_protection_enabled
    error_message = "the table can be deleted"
  }
}

run "the_tick_calls_the_planner_once_and_nobody_repeats_it" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.plan.target[0].arn == aws_lambda_function.plan.arn && aws_scheduler_schedule.plan.target[0].role_arn == aws_iam_role.schedule.arn
    error_message = "the schedule does not call the planner with its own role"
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.plan.target[0].input) == { tick = "15m" } && aws_scheduler_schedule.plan.schedule_expression == "rate(15 minutes)"
    error_message = "the schedule and what it tells the planner are not both 15 minutes"
  }

  assert {
    condition     = aws_scheduler_schedule.plan.target[0].retry_policy[0].maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.plan.maximum_retry_attempts == 0
    error_message = "a failed tick would be repeated"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.plan.function_name == "certpace-plan" && aws_lambda_function_event_invoke_config.plan.maximum_event_age_in_seconds <= 900
    error_message = "a tick may wait until the next one is there"
  }

  assert {
    condition     = aws_lambda_function.plan.timeout > 300 && aws_lambda_function.plan.timeout < 900
    error_message = "the planner's ${aws_lambda_function.plan.timeout} s have no room for 300 s of renewal windows, or run into the next tick"
  }
}

run "the_stop_switch_stops_the_schedule_the_queue_and_the_alarm_on_silence" {
  command = plan

  variables {
    enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.plan.state == "DISABLED" && !aws_lambda_event_source_mapping.jobs.enabled && !aws_cloudwatch_metric_alarm.plan_missing.actions_enabled
    error_message = "something goes on although enabled is false"
  }
}

run "each_function_has_its_own_role_package_and_log_group" {
  command = plan

  assert {
    condition     = aws_lambda_function.plan.role == aws_iam_role.plan.arn && aws_lambda_function.renew.role == aws_iam_role.renew.arn
    error_message = "a function runs with another's role"
  }

  assert {
    condition     = aws_lambda_function.plan.source_code_hash == filebase64sha256("plan.tf") && aws_lambda_function.renew.source_code_hash == filebase64sha256("renew.tf")
    error_message = "a function's hash is not that of its package"
  }

  assert {
    condition     = aws_lambda_function.plan.logging_config[0].log_group == "/aws/lambda/certpace-plan" && aws_lambda_function.renew.logging_config[0].log_group == "/aws/lambda/certpace-renew"
    error_message = "a function writes to another's log group"
  }

  assert {
    condition     = aws_cloudwatch_log_group.plan.name == "/aws/lambda/certpace-plan" && aws_cloudwatch_log_group.renew.name == "/aws/lambda/certpace-renew"
    error_message = "a log group that a function writes to is not made"
  }

  assert {
    condition = alltrue([for f in [aws_lambda_function.plan, aws_lambda_function.renew] :
      f.runtime == "provided.al2023" && f.handler == "bootstrap" && f.architectures == tolist(["arm64"])
    ])
    error_message = "a function is not a bootstrap for arm64 on provided.al2023"
  }
}

run "a_bus_of_its_own_is_made_unless_one_is_named" {
  command = plan

  assert {
    condition     = one(aws_cloudwatch_event_bus.events[*].name) == "certpace" && output.event_bus == "certpace"
    error_message = "there is no bus named certpace"
  }
}

run "a_bus_that_is_named_is_not_made" {
  command = plan

  variables {
    event_bus = "default"
  }

  assert {
    condition     = length(aws_cloudwatch_event_bus.events) == 0 && aws_lambda_function.plan.environment[0].variables.CERTPACE_EVENT_BUS == "default"
    error_message = "a bus is made beside the one that was named"
  }
}

run "the_alarms_watch_the_planner_the_dead_queue_and_a_paused_account" {
  command = plan

  variables {
    alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:oncall"]
  }

  assert {
    condition = alltrue([for a in [aws_cloudwatch_metric_alarm.plan_missing, aws_cloudwatch_metric_alarm.plan_errors] :
      a.dimensions == tomap({ FunctionName = "certpace-plan" })
    ])
    error_message = "an alarm on the planner watches something else"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.jobs_dead.dimensions == tomap({ QueueName = "certpace-jobs-0-dead" })
    error_message = "the alarm on dead jobs watches another queue"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.plan_missing.treat_missing_data == "breaching"
    error_message = "a planner that is never called raises no alarm"
  }

  assert {
    condition = {
      for q in aws_cloudwatch_metric_alarm.account_paused.metric_query : q.id => one([for m in q.metric : "${m.stat} of ${m.namespace} ${m.metric_name} in ${m.period} for ${jsonencode(m.dimensions)}"])
      } == {
      paused  = null
      refused = "Sum of certpace IssuancesFailed in 86400 for {\"Deployment\":\"certpace\",\"Reason\":\"account-paused\",\"Shard\":\"0\"}"
      waiting = "Sum of certpace JobsDeferred in 86400 for {\"Deployment\":\"certpace\",\"Reason\":\"account-paused\",\"Shard\":\"0\"}"
    }
    error_message = "the alarm on a paused account watches something else"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.endangered.namespace == "certpace" && aws_cloudwatch_metric_alarm.endangered.metric_name == "Endangered" &&
      aws_cloudwatch_metric_alarm.endangered.dimensions == tomap({ Deployment = "certpace", Shard = "0" }) && aws_cloudwatch_metric_alarm.endangered.statistic == "Maximum" &&
      aws_cloudwatch_metric_alarm.endangered.period == 3600 && aws_cloudwatch_metric_alarm.endangered.threshold == 1
    )
    error_message = "the alarm on endangered certificates watches something else, or one a day is not enough"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.untaken.metric_name == "JobsUntaken" && aws_cloudwatch_metric_alarm.untaken.threshold == 1 &&
      aws_cloudwatch_metric_alarm.untaken.dimensions == tomap({ Deployment = "certpace", Shard = "0" }) && aws_cloudwatch_metric_alarm.untaken.statistic == "Sum"
    )
    error_message = "the alarm on jobs that nobody takes watches something else"
  }

  assert {
    condition = alltrue([for key, want in { hours-to-expiry = ["HoursToExpiry", 24], life-left-percent = ["LifeLeftPercent", 10] } :
      aws_cloudwatch_metric_alarm.ends[key].metric_name == want[0] && aws_cloudwatch_metric_alarm.ends[key].threshold == want[1] &&
      aws_cloudwatch_metric_alarm.ends[key].statistic == "Minimum" && aws_cloudwatch_metric_alarm.ends[key].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.ends[key].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.ends[key].alarm_name == "certpace-${key}" &&
      aws_cloudwatch_metric_alarm.ends[key].dimensions == tomap({ Deployment = "certpace", Shard = "0" })
    ])
    error_message = "an alarm on the nearest end watches something else, or is quiet where nobody looks"
  }

  assert {
    condition = alltrue([for key, metric in { followups-failed = "FollowupsFailed", events-refused = "EventsRefused", items-unreadable = "ItemsUnreadable" } :
      aws_cloudwatch_metric_alarm.beside[key].metric_name == metric && aws_cloudwatch_metric_alarm.beside[key].alarm_name == "certpace-${key}" &&
      aws_cloudwatch_metric_alarm.beside[key].dimensions == tomap({ Deployment = "certpace", Shard = "0" }) && aws_cloudwatch_metric_alarm.beside[key].threshold == 1 &&
      aws_cloudwatch_metric_alarm.beside[key].alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:oncall"])
    ])
    error_message = "an alarm on what goes wrong beside the issuances watches something else, or tells nobody"
  }

  assert {
    condition = (
      [for q in aws_cloudwatch_metric_alarm.account_paused.metric_query : q.expression if q.id == "paused" && q.return_data == true] == ["FILL(refused, 0) + FILL(waiting, 0)"] &&
      aws_cloudwatch_metric_alarm.account_paused.threshold == 1 && aws_cloudwatch_metric_alarm.account_paused.treat_missing_data == "notBreaching"
    )
    error_message = "the alarm on a paused account adds up something else, or one a day is not enough"
  }

  assert {
    condition = alltrue([for a in [
      aws_cloudwatch_metric_alarm.plan_missing, aws_cloudwatch_metric_alarm.plan_errors, aws_cloudwatch_metric_alarm.jobs_dead, aws_cloudwatch_metric_alarm.account_paused,
      aws_cloudwatch_metric_alarm.endangered, aws_cloudwatch_metric_alarm.untaken,
      aws_cloudwatch_metric_alarm.ends["hours-to-expiry"], aws_cloudwatch_metric_alarm.ends["life-left-percent"],
      ] :
      a.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:oncall"]) && a.ok_actions == a.alarm_actions
    ])
    error_message = "an alarm tells nobody"
  }
}
