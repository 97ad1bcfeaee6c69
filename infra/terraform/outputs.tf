output "table" {
  description = "Name of the DynamoDB table."
  value       = aws_dynamodb_table.inventory.name
}

output "queue_url" {
  description = "URL of the job queue: a message here reissues by hand."
  value       = aws_sqs_queue.jobs.url
}

output "dead_queue_url" {
  description = "URL of the queue of jobs that could not be acknowledged."
  value       = aws_sqs_queue.dead.url
}

output "event_bus" {
  description = "Name or ARN of the bus that events are put on."
  value       = local.event_bus
}

output "plan_function" {
  description = "Name of the planner's function."
  value       = aws_lambda_function.plan.function_name
}

output "renew_function" {
  description = "Name of the worker's function."
  value       = aws_lambda_function.renew.function_name
}

output "renew_role_arn" {
  description = "ARN of the worker's role: what the trust policy of a role per zone, and a KMS key's policy, must name."
  value       = aws_iam_role.renew.arn
}

output "environment" {
  description = "The CERTPACE_* environment of both functions, which the command line reads as well."
  value       = local.environment
}

output "exports" {
  description = "The same as shell commands: eval \"$(terraform output -raw exports)\"."
  value       = join("\n", [for k, v in local.environment : "export ${k}='${replace(v, "'", "'\\''")}'"])
}

output "fleet" {
  description = "The certificates as a fleet file in JSON: terraform output -raw fleet | certpace apply -f -"
  # A fleet file leaves out what isn't set; Terraform says null there.
  value = jsonencode({
    certificates = [for c in var.certificates : merge(
      { for k, v in c : k => v if v != null && !contains(["dns", "secret", "fallback"], k) },
      c.dns == null ? {} : { dns = { for k, v in c.dns : k => v if v != null } },
      c.fallback == null ? {} : { fallback = { for k, v in c.fallback : k => v if v != null } },
      c.secret == null ? {} : { secret = { for k, v in c.secret : k => v if v != null } },
    )]
  })
}
