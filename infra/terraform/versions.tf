# The provider is held below 6, which renames attributes used here (aws_region.name) and has not been tried; 5.100.0 is the
# release that the checks run with. There is no lock file here on purpose: a module's callers lock the provider for their own
# platforms (`terraform providers lock`), and one made on a single platform would refuse all others.
terraform {
  required_version = ">= 1.9" # validations that look at more than one variable

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
