# ---- what it is called -------------------------------------------------------------------------------------------------

variable "name" {
  description = "Name of the deployment: the table's name, and what all other names begin with. IAM roles are global, so a second region needs a second name."
  type        = string
  default     = "certpace"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\": use 3 to 40 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "enabled" {
  description = "false stops the schedule and the worker's queue and keeps everything else: the stop switch. Certificates are not renewed meanwhile."
  type        = bool
  default     = true
}

# ---- the CA ------------------------------------------------------------------------------------------------------------

variable "acme_directory" {
  description = "Directory URL of the CA that certificates are ordered from where they name no other, for example https://acme-v02.api.letsencrypt.org/directory."
  type        = string

  validation {
    condition     = can(regex("^https://[^\\s/]+(/\\S*)?$", var.acme_directory))
    error_message = "acme_directory is \"${var.acme_directory}\": give the CA's https:// directory URL."
  }
}

variable "acme_email" {
  description = "Contact address of the ACME account; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.acme_email == null || can(regex("^[^\\s@:]+@[^\\s@:]+$", var.acme_email))
    error_message = "acme_email is not an address of the form name@example.com: give the bare address (no mailto:), or null."
  }
}

variable "acme_ca_bundle" {
  description = "PEM text, or the path of a file inside the function, of the roots that the CA's own TLS is checked with; null for the system's roots. A function's environment holds 4 KiB in all."
  type        = string
  default     = null

  validation {
    condition     = var.acme_ca_bundle == null || can(regex("^(/|\\s*-----BEGIN CERTIFICATE-----)", var.acme_ca_bundle))
    error_message = "acme_ca_bundle is neither PEM text nor an absolute path: begin with -----BEGIN CERTIFICATE-----, or with /."
  }

  validation {
    condition     = var.acme_ca_bundle == null || length(coalesce(var.acme_ca_bundle, "-")) <= 3072
    error_message = "acme_ca_bundle is longer than 3072 characters, and AWS gives a function's environment 4 KiB in all: keep only the root that is needed, or name a file."
  }
}

variable "acme_rate" {
  description = "ACME requests a second to each CA at most, never more than one in flight; null for the program's 5."
  type        = number
  default     = null

  validation {
    condition     = var.acme_rate == null || coalesce(var.acme_rate, 1) > 0
    error_message = "acme_rate must be above 0 requests a second; null takes the program's 5."
  }
}

# ---- DNS ---------------------------------------------------------------------------------------------------------------

variable "dns_provider" {
  description = "Solver of certificates that name no other: route53, or the code of one of lego's DNS providers (its credentials go into extra_environment)."
  type        = string
  default     = "route53"

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.dns_provider))
    error_message = "dns_provider is \"${var.dns_provider}\": give route53 or a lego provider code, in lower case."
  }
}

variable "dns_resolvers" {
  description = "Resolvers (host:port) for zone finding, CNAMEs and propagation checks; empty for the system's."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for r in var.dns_resolvers : can(regex("^[^\\s,]+:[0-9]{1,5}$", r))])
    error_message = "dns_resolvers holds an entry without a port: write each as host:port, for example 1.1.1.1:53."
  }
}

variable "hosted_zone_arns" {
  description = "Route 53 zones of this account that the worker may write to; null for all of them, [] for none (other accounts' zones, or another DNS provider)."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for a in coalesce(var.hosted_zone_arns, []) : can(regex("^arn:[a-z0-9-]+:route53:::hostedzone/[A-Z0-9*]+$", a))])
    error_message = "hosted_zone_arns holds an entry that is not a zone's ARN: write arn:aws:route53:::hostedzone/Z0123456789ABC."
  }
}

variable "challenge_record_names" {
  description = "Names of the TXT records that the worker may write, with * and ?, lower case and without the last dot. Add the targets of delegated names (CNAMEs) here."
  type        = list(string)
  default     = ["_acme-challenge.*"]

  validation {
    condition     = length(var.challenge_record_names) > 0 && alltrue([for n in var.challenge_record_names : can(regex("^[a-z0-9_*?.-]*[a-z0-9*?]$", n))])
    error_message = "challenge_record_names must hold at least one name, each in lower case and without the last dot, for example _acme-challenge.*."
  }
}

variable "dns_role_arns" {
  description = "Roles that the worker may assume to write to zones, as certificates name them in dns.role_arn (one role for each zone or account)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.dns_role_arns : can(regex("^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[^*?\\s]+$", a))])
    error_message = "dns_role_arns holds an entry that is not one role's ARN: write arn:aws:iam::123456789012:role/name, without wildcards."
  }
}

variable "extra_environment" {
  description = "More environment of the worker, for a lego DNS provider's credentials. It is readable in the function's configuration and in Terraform's state: prefer roles."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for k in keys(var.extra_environment) : !startswith(k, "CERTPACE_")])
    error_message = "extra_environment holds a name that begins with CERTPACE_: set those through this module's other variables."
  }

  validation {
    condition     = alltrue([for k in keys(var.extra_environment) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", k))])
    error_message = "extra_environment holds a name that Lambda refuses: use letters, digits and underscores, a letter first, two characters or more."
  }
}

# ---- secrets -----------------------------------------------------------------------------------------------------------

variable "secret_prefix" {
  description = "What the names of all secrets begin with; the worker may touch these and no others. null for the deployment's name and a slash, so that two deployments keep apart."
  type        = string
  default     = null

  validation {
    # Without a separator at its end the worker's permission would cover its neighbours' secrets as well: "web" is also "webshop".
    condition     = var.secret_prefix == null || can(regex("^[A-Za-z0-9/_+=.@-]{0,198}[A-Za-z0-9][/_.-]$", var.secret_prefix))
    error_message = "secret_prefix is \"${var.secret_prefix == null ? "" : var.secret_prefix}\": use letters, digits and /_+=.@-, with one of / _ . - after a letter or digit at the end, 200 characters at most, for example certpace/."
  }
}

variable "kms_key_arns" {
  description = "KMS keys that certificates name in secret.kms_key_id (replica regions' too); the worker may use them through Secrets Manager. Empty: the account's own aws/secretsmanager key."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.kms_key_arns : can(regex("^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", a))])
    error_message = "kms_key_arns holds an entry that is not a key's ARN (IAM does not follow an alias): write arn:aws:kms:eu-central-1:123456789012:key/...."
  }
}

variable "acm_certificate_arns" {
  description = "Certificates of ACM (imported ones) that certificates of a fleet file outside of Terraform are imported into (acm.arn); those in `certificates` are added by themselves. The worker may replace these and no others."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.acm_certificate_arns : can(regex("^arn:[a-z0-9-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$", a))])
    error_message = "acm_certificate_arns holds an entry that is not one certificate's ARN: write arn:aws:acm:us-east-1:123456789012:certificate/...., without wildcards."
  }
}

# ---- the functions -----------------------------------------------------------------------------------------------------

variable "plan_package" {
  description = "Path of the planner's zip, as `make package` builds it; null for dist/plan.zip of this checkout."
  type        = string
  default     = null
}

variable "renew_package" {
  description = "Path of the worker's zip, as `make package` builds it; null for dist/renew.zip of this checkout."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the zips were built for: arm64, or x86_64 (`make package GOARCH=amd64`)."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": use arm64 or x86_64."
  }
}

variable "plan_memory_size" {
  description = "Memory of the planner in MiB; its share of a CPU grows with it. A tick may look at 30,000 certificates (docs/benchmarks.md)."
  type        = number
  default     = 1024

  validation {
    condition     = var.plan_memory_size >= 128 && var.plan_memory_size <= 10240 && floor(var.plan_memory_size) == var.plan_memory_size
    error_message = "plan_memory_size is ${var.plan_memory_size}: use whole MiB from 128 to 10240."
  }
}

variable "renew_memory_size" {
  description = "Memory of the worker in MiB; its share of a CPU grows with it, which RSA keys feel (1024 for fleets with many of them)."
  type        = number
  default     = 256

  validation {
    condition     = var.renew_memory_size >= 128 && var.renew_memory_size <= 10240 && floor(var.renew_memory_size) == var.renew_memory_size
    error_message = "renew_memory_size is ${var.renew_memory_size}: use whole MiB from 128 to 10240."
  }
}

variable "batch_size" {
  description = "Jobs that one invocation of the worker takes at most; their DNS waits overlap. 1 is strictly one issuance after the other."
  type        = number
  default     = 20

  validation {
    condition     = contains(range(1, 21), var.batch_size)
    error_message = "batch_size is ${var.batch_size}: use 1 to 20."
  }
}

variable "reserve_concurrency" {
  description = "Reserve the worker's one execution. AWS wants 100 unreserved ones to remain, which new accounts do not have: false leaves it to the lease in the table alone."
  type        = bool
  default     = true
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here; null for none."
  type        = string
  default     = null
}

# ---- keeping and telling -----------------------------------------------------------------------------------------------

variable "deletion_protection" {
  description = "Keep the table from being deleted, by Terraform too: set it to false and apply before a destroy."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that the functions' logs are kept (a number that CloudWatch Logs knows: 30, 90, 365 ...; 0 for ever)."
  type        = number
  default     = 30
}

variable "event_bus" {
  description = "Name or ARN of an existing EventBridge bus for certpace's events (`default` is the account's own); null makes one with the deployment's name."
  type        = string
  default     = null

  validation {
    condition     = var.event_bus == null || can(regex("^(arn:[a-z0-9-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[A-Za-z0-9._/-]+$", var.event_bus))
    error_message = "event_bus is neither a bus's name nor its ARN: give one of them, or null for a bus of its own."
  }
}

variable "least_hours_to_expiry" {
  description = "Hours to the first end below which there is an alarm. Certificates of two days and less are renewed with fewer left: give less than half of the shortest life."
  type        = number
  default     = 24

  validation {
    condition     = var.least_hours_to_expiry > 0
    error_message = "least_hours_to_expiry is ${var.least_hours_to_expiry}: give hours above 0."
  }
}

variable "least_life_left_percent" {
  description = "Percent of a certificate's life below which there is an alarm. Renewals begin with a third left, with half of a life below ten days."
  type        = number
  default     = 10

  validation {
    condition     = var.least_life_left_percent > 0 && var.least_life_left_percent < 33
    error_message = "least_life_left_percent is ${var.least_life_left_percent}: give percent above 0 and below 33, with which renewals begin."
  }
}

variable "alarm_actions" {
  description = "ARNs (SNS topics, for example) told when an alarm starts and ends; without any, alarms only show in CloudWatch."
  type        = list(string)
  default     = []
}

# ---- the fleet ---------------------------------------------------------------------------------------------------------

variable "certificates" {
  description = "Certificates, with the fields of the fleet file. Terraform does not issue or store them: the output `fleet` is their fleet file, for `certpace apply`."
  type = list(object({
    name                 = string
    domains              = list(string)
    key_type             = optional(string)
    csr                  = optional(string)
    acme_directory       = optional(string)
    profile              = optional(string)
    preferred_chain      = optional(string)
    fallback             = optional(object({ acme_directory = string, profile = optional(string), preferred_chain = optional(string) }))
    dns                  = optional(object({ provider = optional(string), zone_id = optional(string), role_arn = optional(string), external_id = optional(string) }))
    reuse_key            = optional(bool)
    secret               = optional(object({ kms_key_id = optional(string), replicas = optional(list(string)), tags = optional(map(string)) }))
    acm                  = optional(list(object({ arn = string })))
    enabled              = optional(bool)
    revoke_on_compromise = optional(bool)
  }))
  default = []

  # `certpace apply` checks all of it, with lines; these are the faults worth seeing in a plan.
  validation {
    condition     = alltrue([for c in var.certificates : can(regex("^[a-z0-9][a-z0-9_.-]{0,127}$", c.name))])
    error_message = "certificates: these names are not 1 to 128 of a-z, 0-9, -, _ and ., a letter or digit first: ${join(", ", [for c in var.certificates : c.name if !can(regex("^[a-z0-9][a-z0-9_.-]{0,127}$", c.name))])}."
  }

  validation {
    condition     = length(distinct(var.certificates[*].name)) == length(var.certificates)
    error_message = "certificates: these names occur more than once; give each certificate its own: ${join(", ", distinct([for c in var.certificates : c.name if length([for d in var.certificates : d if d.name == c.name]) > 1]))}."
  }

  validation {
    condition     = alltrue([for c in var.certificates : length(c.domains) >= 1 && length(c.domains) <= 100])
    error_message = "certificates: domains must hold 1 to 100 names, and does not for: ${join(", ", [for c in var.certificates : c.name if length(c.domains) < 1 || length(c.domains) > 100])}."
  }

  validation {
    condition     = alltrue(flatten([for c in var.certificates : [for d in c.domains : can(regex("^(\\*\\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", d))]]))
    error_message = "certificates: not DNS names in lower-case A-labels: ${join(", ", flatten([for c in var.certificates : [for d in c.domains : "${d} of ${c.name}" if !can(regex("^(\\*\\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", d))]]))}."
  }

  validation {
    condition     = alltrue([for c in var.certificates : contains(["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"], c.key_type) if c.key_type != null])
    error_message = "certificates: key_type must be ec256, ec384, rsa2048, rsa3072 or rsa4096, and is not for: ${join(", ", [for c in var.certificates : c.name if c.key_type != null && !contains(["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"], coalesce(c.key_type, "-"))])}."
  }

  validation {
    condition     = alltrue([for c in var.certificates : can(regex("^https://[^\\s/]+(/\\S*)?$", c.fallback.acme_directory)) if c.fallback != null])
    error_message = "certificates: fallback.acme_directory must be the second CA's https:// directory URL, and is not for: ${join(", ", [for c in var.certificates : c.name if c.fallback != null && !can(regex("^https://[^\\s/]+(/\\S*)?$", c.fallback.acme_directory))])}."
  }
}
