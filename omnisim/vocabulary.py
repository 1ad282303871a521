"""Every word once: the consumer's states and transitions, in English and Chinese."""

from __future__ import annotations

from typing import NamedTuple


class State(NamedTuple):
    """A stage of the consumer: column name, letter used in the transition table, Chinese term."""

    name: str
    letter: str
    zh: str


STATES = (
    State("unaware", "U", "未触达"),
    State("exposed", "E", "曝光"),
    State("interested", "I", "种草/兴趣"),
    State("searching", "S", "搜索比价"),
    State("consulting", "C", "咨询"),
    State("intent", "K", "领券/加购/预售定金"),
    State("ordered", "P", "下单支付(拔草)"),
    State("in_fulfilment", "F", "履约体验"),
    State("active", "B", "已购客户"),
    State("returning", "R", "退货/投诉"),
    State("member", "M", "会员"),
    State("private", "D", "私域用户"),
    State("repeat", "X", "复购老客/高价值"),
    State("advocate", "A", "裂变推荐者"),
    State("dormant", "Z", "沉睡"),
    State("lost", "L", "流失/退订"),
)
STATE_NAMES = tuple(state.name for state in STATES)
STATE_INDEX = {state.letter: k for k, state in enumerate(STATES)}


class Transition(NamedTuple):
    """One of the 39 moves between states: id, letters of the states, what triggers it."""

    id: str
    source: str
    target: str
    trigger: str
    zh: str


TRANSITIONS = (
    Transition("t01", "U", "E", "paid or organic impression", "曝光"),
    Transition("t02", "E", "I", "content persuades", "种草"),
    Transition("t03", "E", "S", "direct click", "挂载"),
    Transition("t04", "I", "S", "active search", "搜索"),
    Transition("t05", "I", "E", "forgetting", "遗忘"),
    Transition("t06", "S", "C", "asks the service desk", "咨询"),
    Transition("t07", "S", "K", "coupon, cart or deposit", "加购领券"),
    Transition("t08", "C", "K", "answered well", "咨询转化"),
    Transition("t09", "S", "E", "bounces", "断点"),
    Transition("t10", "K", "P", "pays", "拔草"),
    Transition("t11", "K", "S", "abandons, or meets no stock", "弃单/缺货"),
    Transition("t12", "S", "P", "impulse", "冲动下单"),
    Transition("t13", "P", "F", "allocated to a node", "履约"),
    Transition("t14", "F", "B", "delivered well", "签收"),
    Transition("t15", "F", "R", "late, wrong or regretted", "退货投诉"),
    Transition("t16", "R", "B", "service recovery", "化危为机"),
    Transition("t17", "R", "L", "gives up", "流失"),
    Transition("t18", "B", "M", "joins membership", "入会"),
    Transition("t19", "B", "D", "scans the parcel code", "入私域"),
    Transition("t20", "M", "D", "adds the group", "沉淀"),
    Transition("t21", "B", "X", "repurchase without contact", "复购"),
    Transition("t22", "M", "X", "repurchase with points", "复购"),
    Transition("t23", "D", "X", "repurchase with touch", "复购"),
    Transition("t24", "X", "A", "refers", "裂变"),
    Transition("t25", "D", "A", "shares a group deal", "裂变"),
    Transition("t26", "A", "U", "exposes a neighbour", "回公域代言"),
    Transition("t27", "B", "Z", "no order for long", "沉睡"),
    Transition("t28", "M", "Z", "no order for long", "沉睡"),
    Transition("t29", "X", "Z", "lapses", "沉睡"),
    Transition("t30", "D", "Z", "mutes or leaves the group", "社群流失"),
    Transition("t31", "Z", "X", "win-back", "唤醒"),
    Transition("t32", "Z", "L", "time out or opt-out", "流失"),
    Transition("t33", "L", "E", "re-acquired by paid reach", "重新获客"),
    Transition("t34", "A", "X", "stops advocating", "回落"),
    Transition("t35", "X", "S", "next purchase need", "再次需求"),
    Transition("t36", "B", "S", "next purchase need", "再次需求"),
    Transition("t37", "D", "K", "flash sale or new product", "秒杀"),
    Transition("t38", "M", "S", "member day", "会员日"),
    Transition("t39", "S", "I", "compares and leaves", "比价离开"),
)
