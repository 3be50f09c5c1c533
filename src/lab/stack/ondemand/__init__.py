"""What a notebook asks for beside the stack: a Redis Cluster, Kafka, PostgreSQL. It ends with its kernel."""
