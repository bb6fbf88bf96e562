//! What a masternode keeps for tasks: their content, their results, and shares of their keys.
