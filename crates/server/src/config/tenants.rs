//! Settings of an installation that holds several businesses.

use serde::Deserialize;

/// Several businesses in one installation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenants {
    /// Row-level security on PostgreSQL: `on`, `off`, or `auto` as soon as there is a second business.
    pub wall: Wall,
    /// Calls a minute of all callers of a business together; beyond it 429 with `Retry-After`.
    pub calls_per_minute: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Wall {
    Auto,
    On,
    Off,
}

impl From<Wall> for store::Wall {
    fn from(wall: Wall) -> store::Wall {
        match wall {
            Wall::Auto => store::Wall::Auto,
            Wall::On => store::Wall::On,
            Wall::Off => store::Wall::Off,
        }
    }
}

impl Default for Tenants {
    fn default() -> Tenants {
        Tenants { wall: Wall::Auto, calls_per_minute: 6_000 }
    }
}
