//! Feeding a stream and following it: what was put is read once and in order, whatever fails and however
//! often either is ended and gone on with; over a simulated stream, and over the local cloud's.

mod cloud;
mod interrupted;
mod steps;
