# Bad input is refused in the plan, and what looks odd but is right is not.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  acme_directory = "https://acme-v02.api.letsencrypt.org/directory"
  plan_package   = "plan.tf"
  renew_package  = "renew.tf"
}

run "odd_but_right_is_accepted" {
  command = plan

  variables {
    name              = "a-1"
    acme_directory    = "https://127.0.0.1:14000/dir"
    acme_rate         = 0.5
    batch_size        = 1
    secret_prefix     = "x-"
    extra_environment = { AWS_ENDPOINT_URL = "http://127.0.0.1:4566" }
    certificates      = [{ name = "0._-", domains = ["*.xn--bcher-kva.example", "1.2.example"] }]
  }
}

# One run for many variables: each of those named must fail, and no other may.
run "what_no_deployment_could_use_is_refused" {
  command = plan

  variables {
    name                   = "CertPace"
    acme_directory         = "http://acme.example.com/directory"
    acme_email             = "mailto:tls@example.com"
    acme_ca_bundle         = "roots.pem"
    acme_rate              = 0
    dns_provider           = "Route53"
    dns_resolvers          = ["1.1.1.1"]
    hosted_zone_arns       = ["Z0123456789ABC"]
    challenge_record_names = ["_acme-challenge.example.com."]
    dns_role_arns          = ["arn:aws:iam::210987654321:role/*"]
    extra_environment      = { CERTPACE_TABLE = "another" }
    secret_prefix          = "web"
    kms_key_arns           = ["arn:aws:kms:eu-central-1:123456789012:alias/tls"]
    acm_certificate_arns   = ["arn:aws:acm:us-east-1:123456789012:certificate/*"]
    architecture           = "amd64"
    plan_memory_size       = 64
    renew_memory_size      = 256.5
    batch_size             = 21
    event_bus              = "no spaces"
    certificates           = [{ name = "www.Example.com", domains = ["www.example.com"] }]
  }

  expect_failures = [
    var.name, var.acme_directory, var.acme_email, var.acme_ca_bundle, var.acme_rate, var.dns_provider, var.dns_resolvers,
    var.hosted_zone_arns, var.challenge_record_names, var.dns_role_arns, var.extra_environment, var.secret_prefix, var.kms_key_arns,
    var.acm_certificate_arns, var.architecture, var.plan_memory_size, var.renew_memory_size, var.batch_size, var.event_bus, var.certificates,
  ]
}

run "nothing_is_not_everything" {
  command = plan

  variables {
    name                   = "certpace-"
    acme_ca_bundle         = "-----BEGIN CERTIFICATE-----\n${join("", [for i in range(1024) : "AAAA"])}"
    challenge_record_names = []
    extra_environment      = { "a-b" = "not a name that Lambda takes" }
    secret_prefix          = ""
    batch_size             = 0
    certificates           = [{ name = "a", domains = [] }]
  }

  expect_failures = [
    var.name, var.acme_ca_bundle, var.challenge_record_names, var.extra_environment, var.secret_prefix, var.batch_size, var.certificates,
  ]
}

run "a_missing_package_is_named" {
  command = plan
  variables {
    renew_package = "no-such.zip"
  }
  expect_failures = [aws_lambda_function.renew]
}

run "two_certificates_do_not_share_a_name" {
  command = plan
  variables {
    certificates = [{ name = "a", domains = ["a.example.com"] }, { name = "a", domains = ["b.example.com"] }]
  }
  expect_failures = [var.certificates]
}

run "a_domain_is_an_a_label" {
  command = plan
  variables {
    certificates = [{ name = "a", domains = ["bücher.example"] }]
  }
  expect_failures = [var.certificates]
}

run "a_wildcard_is_the_first_label_alone" {
  command = plan
  variables {
    certificates = [{ name = "a", domains = ["www.*.example.com"] }]
  }
  expect_failures = [var.certificates]
}

run "a_second_ca_is_reached_by_https" {
  command = plan
  variables {
    certificates = [
      { name = "a", domains = ["a.example.com"], fallback = { acme_directory = "https://acme.example.net/directory", profile = "classic" } },
      { name = "b", domains = ["b.example.com"], fallback = { acme_directory = "http://acme.example.net/directory" } },
    ]
  }
  expect_failures = [var.certificates]
}

run "a_key_type_is_one_of_five" {
  command = plan
  variables {
    certificates = [{ name = "a", domains = ["a.example.com"], key_type = "p256" }]
  }
  expect_failures = [var.certificates]
}
