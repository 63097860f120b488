"""A thousand operating points of a grid, and every outage of ten of them."""

import numpy as np

import aurigrid as ag

net = ag.load("case118")
factor = np.random.default_rng(1).uniform(0.8, 1.1, (1000, net.n_load))
points = ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)

sol = ag.power_flow(net, points, slack="distributed", q_limits=True)
print(sol)
print(f"voltages {sol.v_mag.min():.3f} to {sol.v_mag.max():.3f} pu, largest mismatch {sol.mismatch_pu.max():.1e} pu")
print(f"highest flow on line:7: {sol.branch_flow().s_from_mva[:, 7].max():.1f} MVA")

report = ag.security_analysis(net, points[:10], contingencies="n-1", slack="distributed", q_limits=True)
print(report)
print(f"largest load lost by an outage: {report.lost_load_mw.max():.1f} MW")
print(report.violations.schema.names)

best = ag.optimal_power_flow(net, points)
print(best)
print(f"cost {best.objective.min():,.0f} to {best.objective.max():,.0f} per hour")
print(f"largest residual of the optimality conditions {best.kkt_residual.max():.0e}")
