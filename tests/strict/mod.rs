//! HTTP/1 to the letter, both ways, and what hostile or idle clients cost.

mod idle;
