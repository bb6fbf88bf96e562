//! What a masternode does with the key shares that are sealed to it.
