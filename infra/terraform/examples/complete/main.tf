# A whole deployment in one account and region, for the CA's staging environment until told otherwise:
#
#   make package
#   terraform -chdir=infra/terraform/examples/complete init
#   terraform -chdir=infra/terraform/examples/complete apply -var acme_email=tls@example.com

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Region and credentials come from the environment, as everywhere with AWS.
provider "aws" {
  default_tags {
    tags = { application = "certpace" }
  }
}

variable "name" {
  description = "Name of the deployment."
  type        = string
  default     = "certpace"
}

variable "acme_directory" {
  description = "The CA's directory. Staging's certificates are trusted by nobody and its limits are wide: the place to begin."
  type        = string
  default     = "https://acme-staging-v02.api.letsencrypt.org/directory"
}

variable "acme_email" {
  description = "Contact address of the ACME account."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Keep the table from being deleted."
  type        = bool
  default     = true
}

variable "reserve_concurrency" {
  description = "Reserve the worker's one execution; false in an account that has no room for it."
  type        = bool
  default     = true
}

variable "alarm_actions" {
  description = "ARNs told when an alarm starts and ends."
  type        = list(string)
  default     = []
}

variable "packages" {
  description = "Folder with plan.zip and renew.zip; null for dist/ of this checkout."
  type        = string
  default     = null
}

module "certpace" {
  source = "../.."

  name                = var.name
  acme_directory      = var.acme_directory
  acme_email          = var.acme_email
  deletion_protection = var.deletion_protection
  reserve_concurrency = var.reserve_concurrency
  alarm_actions       = var.alarm_actions
  plan_package        = var.packages == null ? null : "${var.packages}/plan.zip"
  renew_package       = var.packages == null ? null : "${var.packages}/renew.zip"

  certificates = [
    { name = "www-example-com", domains = ["www.example.com", "example.com"] },
    { name = "api-example-com", domains = ["*.api.example.com"], key_type = "ec384" },
  ]
}

output "fleet" {
  description = "Fleet file: terraform output -raw fleet | certpace apply -f -"
  value       = module.certpace.fleet
}

output "exports" {
  description = "Environment of the command line: eval \"$(terraform output -raw exports)\""
  value       = module.certpace.exports
}

output "event_bus" {
  description = "Bus to attach rules to."
  value       = module.certpace.event_bus
}

output "renew_role_arn" {
  description = "The worker's role, for the trust policy of a role per zone."
  value       = module.certpace.renew_role_arn
}
