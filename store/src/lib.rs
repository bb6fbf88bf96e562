//! Where blocks are: the IPFS peer inside, or a Kubo daemon.
