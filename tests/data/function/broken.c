/* SPDX-License-Identifier: MIT */
int broken(