"""Names and numbers that look right and belong to nobody: the check digits are true, the rest is made up."""

from datetime import date
from random import Random

from stdnum.cn import ric, uscc

SURNAMES = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹")
GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉萍红鹏浩然欣怡子轩雨涵思远嘉宁晨佳琪文博")
# County codes that were never changed, so that they fit every birthday.
PLACES = {
    "北京": "110105",
    "天津": "120102",
    "上海": "310104",
    "浙江": "330122",
    "安徽": "340121",
    "福建": "350121",
    "湖南": "430121",
    "四川": "510121",
    "陕西": "610323",
    "辽宁": "210224",
}
TRADES = {
    "A": "农业",
    "C": "机械制造",
    "E": "建筑工程",
    "F": "商贸",
    "G": "物流",
    "H": "餐饮管理",
    "I": "信息技术",
    "L": "商务服务",
}
FIRM_NAMES = (
    "恒瑞",
    "博远",
    "嘉禾",
    "盛达",
    "华信",
    "天成",
    "金桥",
    "宏业",
    "联创",
    "新源",
    "锦程",
    "东泰",
    "顺隆",
    "众合",
    "启明",
    "安泰",
    "汇源",
    "卓越",
)


def person_name(rng: Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice((1, 2, 2))))


def company_name(rng: Random, region: str, industry: str) -> str:
    return f"{region}{rng.choice(FIRM_NAMES)}{rng.choice(FIRM_NAMES)}{TRADES[industry]}有限公司"


def identity_number(number: int, region: str, born: date) -> str:
    """A resident identity number: place, birthday, a sequence, and the check digit of GB 11643.

    The sequence has three digits, so a thousand people may share a place and a birthday.
    """
    body = f"{PLACES[region]}{born:%Y%m%d}{number % 1000:03d}"
    return body + ric.calc_check_digit(body + "0")


def credit_code(number: int, region: str) -> str:
    """A unified social credit code: kind, place, organisation, and the check digit of GB 32100."""
    body = f"91{PLACES[region]}MA{number:07d}"
    return body + uscc.calc_check_digit(body)


def phone(number: int) -> str:
    return f"199{number:08d}"
