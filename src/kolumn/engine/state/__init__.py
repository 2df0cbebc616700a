"""What a provider manages (spec 8): how it is kept, and whether it is sound in itself and true of the database."""
