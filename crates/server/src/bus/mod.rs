//! How the processes of one installation reach each other.
