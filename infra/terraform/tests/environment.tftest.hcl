# The functions refuse to start on a CERTPACE_ name that they don't know, and read an empty value as a value.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_sqs_queue.jobs
  override_during = plan
  values          = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/certpace-jobs-0" }
}

variables {
  acme_directory = "https://acme-v02.api.letsencrypt.org/directory"
  plan_package   = "plan.tf"
  renew_package  = "renew.tf"
}

run "only_what_was_given_is_set" {
  command = plan

  assert {
    condition = aws_lambda_function.plan.environment[0].variables == tomap({
      CERTPACE_TABLE          = "certpace"
      CERTPACE_QUEUE_URL      = "https://sqs.eu-central-1.amazonaws.com/123456789012/certpace-jobs-0"
      CERTPACE_SECRET_PREFIX  = "certpace/"
      CERTPACE_ACME_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
      CERTPACE_DNS_PROVIDER   = "route53"
      CERTPACE_EVENT_BUS      = "certpace"
    })
    error_message = "the planner's environment is ${jsonencode(aws_lambda_function.plan.environment[0].variables)}"
  }

  assert {
    condition     = aws_lambda_function.renew.environment[0].variables == aws_lambda_function.plan.environment[0].variables
    error_message = "the worker's environment differs from the planner's"
  }

  assert {
    condition     = !issensitive(aws_lambda_function.renew.environment[0].variables)
    error_message = "a plan hides the worker's environment although there is nothing to hide"
  }

  assert {
    condition     = tomap(output.environment) == aws_lambda_function.plan.environment[0].variables
    error_message = "the output differs from what the functions get"
  }
}

run "everything_that_can_be_given_is_a_name_that_the_functions_know" {
  command = plan

  variables {
    acme_email     = "tls@example.com"
    acme_ca_bundle = "/var/task/roots.pem"
    acme_rate      = 2.5
    dns_provider   = "rfc2136"
    dns_resolvers  = ["1.1.1.1:53", "[2606:4700:4700::1111]:53"]
    secret_prefix  = "tls/prod/"
    event_bus      = "default"
    extra_environment = {
      RFC2136_NAMESERVER = "192.0.2.53:53"
    }
  }

  assert {
    condition = toset(keys(aws_lambda_function.plan.environment[0].variables)) == toset([
      "CERTPACE_TABLE", "CERTPACE_QUEUE_URL", "CERTPACE_SECRET_PREFIX", "CERTPACE_ACME_DIRECTORY", "CERTPACE_ACME_EMAIL",
      "CERTPACE_ACME_CA_BUNDLE", "CERTPACE_ACME_RATE", "CERTPACE_DNS_PROVIDER", "CERTPACE_DNS_RESOLVERS", "CERTPACE_EVENT_BUS",
    ])
    error_message = "the planner gets ${join(", ", keys(aws_lambda_function.plan.environment[0].variables))}"
  }

  assert {
    condition = (
      aws_lambda_function.plan.environment[0].variables.CERTPACE_ACME_RATE == "2.5"
      && aws_lambda_function.plan.environment[0].variables.CERTPACE_DNS_RESOLVERS == "1.1.1.1:53,[2606:4700:4700::1111]:53"
      && aws_lambda_function.plan.environment[0].variables.CERTPACE_DNS_PROVIDER == "rfc2136"
      && aws_lambda_function.plan.environment[0].variables.CERTPACE_SECRET_PREFIX == "tls/prod/"
    )
    error_message = "a value is not what was given"
  }

  assert {
    condition = setsubtract(
      keys(aws_lambda_function.renew.environment[0].variables),
      keys(aws_lambda_function.plan.environment[0].variables),
    ) == toset(["RFC2136_NAMESERVER"])
    error_message = "the worker, and only the worker, does not get the DNS provider's credentials"
  }

  assert {
    condition     = issensitive(aws_lambda_function.renew.environment[0].variables.RFC2136_NAMESERVER)
    error_message = "a plan shows the DNS provider's credentials"
  }
}

run "the_exports_survive_a_shell" {
  command = plan

  variables {
    secret_prefix  = "tls/"
    acme_email     = "o'brien@example.com"
    acme_ca_bundle = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  }

  assert {
    condition     = strcontains(output.exports, "export CERTPACE_ACME_EMAIL='o'\\''brien@example.com'\n")
    error_message = "a quote in a value ends the quoting: ${output.exports}"
  }

  assert {
    condition     = strcontains(output.exports, "export CERTPACE_ACME_CA_BUNDLE='-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'\n")
    error_message = "lines of a value are lost: ${output.exports}"
  }
}

run "the_fleet_says_what_was_given_and_nothing_else" {
  command = plan

  variables {
    certificates = [
      { name = "a", domains = ["a.example.com"] },
      {
        name                 = "b.example_com"
        domains              = ["*.b.example.com", "b.example.com"]
        key_type             = "rsa2048"
        profile              = "tlsserver"
        fallback             = { acme_directory = "https://acme.example.net/directory", preferred_chain = "Root Y" }
        reuse_key            = false
        enabled              = true
        revoke_on_compromise = true
        dns                  = { provider = "route53", role_arn = "arn:aws:iam::210987654321:role/zone", external_id = "customer-7" }
        secret               = { replicas = ["eu-west-1"], tags = { team = "web" } }
        acm                  = [{ arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000" }]
      },
    ]
  }

  assert {
    condition = jsondecode(output.fleet) == { certificates = [
      { name = "a", domains = ["a.example.com"] },
      {
        name                 = "b.example_com"
        domains              = ["*.b.example.com", "b.example.com"]
        key_type             = "rsa2048"
        profile              = "tlsserver"
        fallback             = { acme_directory = "https://acme.example.net/directory", preferred_chain = "Root Y" }
        reuse_key            = false
        enabled              = true
        revoke_on_compromise = true
        dns                  = { provider = "route53", role_arn = "arn:aws:iam::210987654321:role/zone", external_id = "customer-7" }
        secret               = { replicas = ["eu-west-1"], tags = { team = "web" } }
        acm                  = [{ arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000" }]
      },
    ] }
    error_message = "the fleet file is ${output.fleet}"
  }
}

run "no_certificates_are_an_empty_fleet" {
  command = plan

  assert {
    condition     = output.fleet == "{\"certificates\":[]}"
    error_message = "the fleet file is ${output.fleet}"
  }
}
