"""Made-up practice systems with known answers: schemas in six languages to fit the matcher on and to score it by."""
