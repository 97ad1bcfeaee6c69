# Who may do what. The planner's whole policy is compared, so that nothing can join it unseen.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_dynamodb_table.inventory
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/certpace" }
}

override_resource {
  target          = aws_sqs_queue.jobs
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:certpace-jobs-0" }
}

override_resource {
  target          = aws_cloudwatch_event_bus.events
  override_during = plan
  values          = { arn = "arn:aws:events:eu-central-1:123456789012:event-bus/certpace" }
}

override_resource {
  target          = aws_cloudwatch_log_group.plan
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/certpace-plan" }
}

override_resource {
  target          = aws_cloudwatch_log_group.renew
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/certpace-renew" }
}

override_resource {
  target          = aws_lambda_function.plan
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:certpace-plan" }
}

variables {
  acme_directory = "https://acme-v02.api.letsencrypt.org/directory"
  plan_package   = "plan.tf"
  renew_package  = "renew.tf"
}

run "the_planner_touches_the_table_the_queue_the_bus_and_its_log_alone" {
  command = plan

  assert {
    condition = toset([for s in jsondecode(aws_iam_role_policy.plan.policy).Statement : jsonencode([s.Effect, flatten([s.Resource]), sort(flatten([s.Action]))])]) == toset([
      jsonencode(["Allow",
        ["arn:aws:dynamodb:eu-central-1:123456789012:table/certpace", "arn:aws:dynamodb:eu-central-1:123456789012:table/certpace/index/due"],
        ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"],
      ]),
      jsonencode(["Allow", ["arn:aws:dynamodb:eu-central-1:123456789012:table/certpace"], ["dynamodb:Scan"]]),
      jsonencode(["Allow", ["arn:aws:sqs:eu-central-1:123456789012:certpace-jobs-0"], ["sqs:GetQueueAttributes", "sqs:SendMessage"]]),
      jsonencode(["Allow", ["arn:aws:events:eu-central-1:123456789012:event-bus/certpace"], ["events:PutEvents"]]),
      jsonencode(["Allow", ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/certpace-plan:*"], ["logs:CreateLogStream", "logs:PutLogEvents"]]),
    ])
    error_message = "the planner's policy is ${aws_iam_role_policy.plan.policy}"
  }

  assert {
    condition = alltrue([for forbidden in ["secretsmanager", "kms", "route53", "sts", "iam", "s3", "lambda"] :
      !strcontains(aws_iam_role_policy.plan.policy, "\"${forbidden}:")
    ])
    error_message = "the planner may touch secrets, keys, DNS or roles: ${aws_iam_role_policy.plan.policy}"
  }

  assert {
    condition     = aws_iam_role_policy.plan.role == "certpace-plan"
    error_message = "the planner's policy is attached to ${aws_iam_role_policy.plan.role}"
  }
}

run "the_schedule_calls_the_planner_and_only_for_this_account" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.schedule.policy).Statement == [{
      Effect = "Allow", Action = "lambda:InvokeFunction", Resource = "arn:aws:lambda:eu-central-1:123456789012:function:certpace-plan"
    }]
    error_message = "the schedule's policy is ${aws_iam_role_policy.schedule.policy}"
  }

  assert {
    condition = (
      jsondecode(aws_iam_role.schedule.assume_role_policy).Statement[0].Principal == { Service = "scheduler.amazonaws.com" }
      && jsondecode(aws_iam_role.schedule.assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    )
    error_message = "another account's schedule may take the role"
  }

  assert {
    condition = alltrue([for r in [aws_iam_role.plan, aws_iam_role.renew] :
      jsondecode(r.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }
    ])
    error_message = "somebody else than Lambda may take a function's role"
  }
}

run "the_worker_may_do_what_its_parts_need_and_no_more" {
  command = plan

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Action])) == toset([
      "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem",
      "dynamodb:Query", "dynamodb:UpdateItem",
      "events:PutEvents", "logs:CreateLogStream", "logs:PutLogEvents",
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage",
      "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
      "secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue", "secretsmanager:ReplicateSecretToRegions",
      "secretsmanager:TagResource", "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage",
      "route53:ChangeResourceRecordSets", "route53:GetChange", "route53:GetHostedZone", "route53:ListHostedZones",
      "route53:ListHostedZonesByName", "route53:ListResourceRecordSets",
    ])
    error_message = "the worker's policy is ${aws_iam_role_policy.renew.policy}"
  }

  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement :
      toset(flatten([s.Action])) == toset(["route53:ListHostedZones", "route53:ListHostedZonesByName"])
      if contains(flatten([s.Resource]), "*")
    ])
    error_message = "the worker may do more than list zones on everything"
  }

  assert {
    condition     = aws_iam_role_policy.renew.role == "certpace-renew"
    error_message = "the worker's policy is attached to ${aws_iam_role_policy.renew.role}"
  }
}

run "the_worker_sees_secrets_under_its_prefix_and_deletes_only_keys_in_progress" {
  command = plan

  variables {
    secret_prefix = "tls/prod/"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Resource
      if anytrue([for a in flatten([s.Action]) : startswith(a, "secretsmanager:") && a != "secretsmanager:DeleteSecret"])
    ])) == toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:tls/prod/*"])
    error_message = "secrets outside tls/prod/ are in reach: ${aws_iam_role_policy.renew.policy}"
  }

  assert {
    condition = anytrue([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : anytrue([for r in flatten([s.Resource]) :
      endswith(r, "*") && startswith("arn:aws:secretsmanager:eu-central-1:123456789012:secret:tls/prod/eab/acme.zerossl.com-a1b2c3", trimsuffix(r, "*"))
    ]) if contains(flatten([s.Action]), "secretsmanager:GetSecretValue")])
    error_message = "the credentials for an external account can't be read: ${aws_iam_role_policy.renew.policy}"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Resource
      if contains(flatten([s.Action]), "secretsmanager:DeleteSecret")
    ])) == toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:tls/prod/pending/*"])
    error_message = "a certificate's secret could be deleted: ${aws_iam_role_policy.renew.policy}"
  }
}

run "the_worker_sees_secrets_under_its_deployments_name_unless_another_prefix_is_given" {
  command = plan

  variables {
    name = "pki-eu"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Resource
      if anytrue([for a in flatten([s.Action]) : startswith(a, "secretsmanager:")])
      ])) == toset([
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pki-eu/*",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pki-eu/pending/*",
    ])
    error_message = "another deployment's secrets are in reach: ${aws_iam_role_policy.renew.policy}"
  }
}

run "the_worker_writes_challenge_records_only_and_in_the_zones_given" {
  command = plan

  variables {
    hosted_zone_arns       = ["arn:aws:route53:::hostedzone/Z1"]
    challenge_record_names = ["_acme-challenge.*", "*.acme.example.net"]
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : [s.Resource, s.Condition]
      if contains(flatten([s.Action]), "route53:ChangeResourceRecordSets")
      ] == [[["arn:aws:route53:::hostedzone/Z1"], {
        "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["TXT"] }
        "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_acme-challenge.*", "*.acme.example.net"] }
    }]]
    error_message = "other records, or other zones, are in reach: ${aws_iam_role_policy.renew.policy}"
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Resource
      if contains(flatten([s.Action]), "route53:ListResourceRecordSets")
    ] == [["arn:aws:route53:::hostedzone/Z1"]]
    error_message = "other zones can be read: ${aws_iam_role_policy.renew.policy}"
  }
}

run "without_zones_of_this_account_there_is_no_route_53_and_roles_are_assumed" {
  command = plan

  variables {
    hosted_zone_arns = []
    dns_role_arns    = ["arn:aws:iam::210987654321:role/zone-a", "arn:aws:iam::210987654321:role/zone-b"]
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.renew.policy, "\"route53:")
    error_message = "Route 53 is in reach: ${aws_iam_role_policy.renew.policy}"
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : s.Resource if contains(flatten([s.Action]), "sts:AssumeRole")] == [
      ["arn:aws:iam::210987654321:role/zone-a", "arn:aws:iam::210987654321:role/zone-b"]
    ]
    error_message = "not exactly the roles given can be assumed: ${aws_iam_role_policy.renew.policy}"
  }
}

run "without_certificates_of_acm_it_is_out_of_reach" {
  command = plan

  assert {
    condition     = !strcontains(aws_iam_role_policy.renew.policy, "\"acm:")
    error_message = "ACM is in reach: ${aws_iam_role_policy.renew.policy}"
  }
}

run "exactly_the_certificates_of_acm_that_are_named_can_be_replaced" {
  command = plan

  variables {
    acm_certificate_arns = ["arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"]
    certificates = [
      { name = "www", domains = ["www.example.com"], acm = [{ arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000001" }] },
      { name = "api", domains = ["api.example.com"] },
    ]
  }

  assert {
    condition = jsonencode([for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : [s.Action, s.Resource] if strcontains(jsonencode(s.Action), "acm:")]) == jsonencode([[
      ["acm:GetCertificate", "acm:ImportCertificate"],
      [
        "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000",
        "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000001",
      ],
    ]])
    error_message = "not exactly these: ${aws_iam_role_policy.renew.policy}"
  }
}

run "a_customers_key_is_used_through_secrets_manager_only" {
  command = plan

  variables {
    kms_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/0a1b"]
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.renew.policy).Statement : [s.Resource, s.Condition] if startswith(flatten([s.Action])[0], "kms:")] == [
      [["arn:aws:kms:eu-central-1:123456789012:key/0a1b"], { StringLike = { "kms:ViaService" = "secretsmanager.*.amazonaws.com" } }]
    ]
    error_message = "the key can be used for more: ${aws_iam_role_policy.renew.policy}"
  }
}

run "a_named_bus_is_the_only_one_that_events_go_to" {
  command = plan

  variables {
    event_bus = "default"
  }

  assert {
    condition = alltrue([for p in [aws_iam_role_policy.plan.policy, aws_iam_role_policy.renew.policy] :
      [for s in jsondecode(p).Statement : s.Resource if s.Action == "events:PutEvents"] == ["arn:aws:events:eu-central-1:123456789012:event-bus/default"]
    ])
    error_message = "events may go elsewhere: ${aws_iam_role_policy.plan.policy}"
  }
}

run "another_accounts_bus_is_taken_by_its_arn" {
  command = plan

  variables {
    event_bus = "arn:aws:events:eu-west-1:210987654321:event-bus/ops"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.plan.policy).Statement : s.Resource if s.Action == "events:PutEvents"] == [var.event_bus]
    error_message = "events may not go to ${var.event_bus}: ${aws_iam_role_policy.plan.policy}"
  }
}

run "a_boundary_holds_all_three_roles" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for r in [aws_iam_role.plan, aws_iam_role.renew, aws_iam_role.schedule] : r.permissions_boundary == var.permissions_boundary_arn])
    error_message = "a role is made without the boundary"
  }
}
